"""Compares two finished builds, read from their directories or from a result.json; reads gates from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import Artifact

from bskernel.config.decoder import convert
from bskernel.config.reader import read_toml
from bskernel.core.errors import ConfigError
from bskernel.result.build_directory import CONFIG, RESULT, BuildDirectory
from bskernel.result.comparison import (
    Comparison,
    ExpressionError,
    FinishedBuild,
    FinishedStep,
    Gate,
    Verdict,
    compare,
    judge,
)
from bskernel.result.comparison.artifacts import judge_artifacts
from bskernel.result.comparison.gates import Missing
from bskernel.result.integrity import find_altered
from bskernel.result.result_file import DAMAGED, read_document, read_result, result_path


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a step in result.json that are compared; also of its items."""

    name: str
    executor: str
    status: str
    key: str | None = None
    outputs: tuple[Artifact, ...] = ()
    items: tuple[_Step, ...] = ()


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of result.json that are compared."""

    name: str
    status: str
    steps: tuple[_Step, ...]
    metrics: dict[str, Any] | None = None


class _Gates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    gate: tuple[Gate, ...]


def read_build(path: Path) -> FinishedBuild:
    """Read a build directory, or a result.json with the files beside it. Raises ConfigError."""
    file, result = result_path(path), read_result(path, _Result)
    parts = [part for whole in result.steps for part in (*whole.items, whole)]
    actions = BuildDirectory(file.parent).actions_of({step.name: step.key for step in parts})
    steps = tuple(
        FinishedStep(
            name=step.name,
            executor=step.executor,
            status=step.status,
            key=step.key,
            outputs=step.outputs,
            action=actions[step.name],
        )
        for step in parts
    )
    return FinishedBuild(
        label=str(path),
        name=result.name,
        status=result.status,
        steps=steps,
        metrics=result.metrics,
        altered=find_altered(path),
        # A result under another name is a copy: the files beside it may belong to another build.
        config=_config(file.parent / CONFIG) if file.name == RESULT else None,
    )


def _config(path: Path) -> dict[str, Any] | None:
    try:
        config: dict[str, Any] = msgspec.json.decode(read_document(path), type=dict[str, Any])
    except FileNotFoundError:
        return None
    except (OSError, *DAMAGED) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return config


def read_gates(path: Path) -> tuple[Gate, ...]:
    """The [[gate]] tables of a file. Raises ConfigError."""
    gates = convert(read_toml(path), _Gates, path).gate
    if not gates:
        raise ConfigError(f"{path}: no [[gate]] table")
    return gates


def _judged(gates: Sequence[Gate], base: FinishedBuild, new: FinishedBuild, missing: Missing) -> tuple[Verdict, ...]:
    verdicts: list[Verdict] = []
    for gate in gates:
        if any(gate.title == other.gate.title for other in verdicts):
            raise ConfigError(f"gate {gate.title!r} is given twice", hint="give each gate its own name")
        try:
            verdicts.append(judge(gate, base.quantities, new.quantities, missing))
        except ExpressionError as error:
            names = sorted({item.name for item in (*base.quantities, *new.quantities)})
            called = f" {gate.name!r}" if gate.name else ""
            raise ConfigError(
                f"gate{called}: {gate.fail_if}: {error}",
                hint=f"quantities: {', '.join(names) or 'none: neither build has metrics'}",
            ) from error
    return tuple(verdicts)


def diff(
    base: Path,
    new: Path,
    *,
    gates: Sequence[Gate] = (),
    missing: Missing = "fail",
    fail_if_artifacts_differ: bool = False,
) -> Comparison:
    """Compare two builds and judge gates, the one on artifacts included if it is asked for. Raises ConfigError."""
    before, after = read_build(base), read_build(new)
    compared = compare(before, after, _judged(gates, before, after, missing))
    if not fail_if_artifacts_differ:
        return compared
    return msgspec.structs.replace(compared, gates=(*compared.gates, judge_artifacts(compared.steps)))
