"""The history as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bskernel.core.visible_text import visible_name
from bskernel.expr.ast import quantities_in
from bskernel.expr.parser import parse
from bskernel.history.past_build import DescribedBuild, History, PastBuild
from bskernel.report.terminal import aligned
from bskernel.result.comparison.gate_names import QuantityNames
from bskernel.sweeps.analysis.metric import latest_of, shown
from bskernel.sweeps.analysis.table import counted, value_text

_SHORT = 12  # characters of a digest
_MANY = 20  # damaged or unjudged directories; more are counted
_SHOWN_SECTIONS = ("build", "target", "executors", "parameters")


def describe_history(history: History, where: Sequence[str] = ()) -> str:
    """A row for each build, with the numbers that conditions name, then what is damaged or cannot be judged."""
    names = _names_in(history, where)
    rows = [("build", "status", "ended", "model", "", *names)]
    rows += [_row(build, names) for build in history.builds]
    lines = aligned(rows) if history.builds else []
    lines.append(counted(len(history.builds), "build"))
    for title, left in (("damaged", history.damaged), ("cannot be judged", history.unjudged)):
        if left:
            lines.append(f"{title}: {counted(len(left), 'build')}")
            lines += [f"  {visible_name(str(one.directory))}: {one.reason}" for one in left[:_MANY]]
            lines += [f"  and {len(left) - _MANY} more"] if len(left) > _MANY else []
    return "\n".join(lines)


def _names_in(history: History, where: Sequence[str]) -> tuple[str, ...]:
    """The full names of the quantities in conditions, as far as a build has them."""
    items = [item for build in history.builds for item in build.quantities]
    if not items:
        return ()
    known = QuantityNames(items, "no build")
    return tuple(
        dict.fromkeys(known.full_name(quantity) for text in where for quantity in quantities_in(parse(text)))
    )


def _row(build: PastBuild, names: Sequence[str]) -> tuple[str, ...]:
    newest = latest_of(build.quantities)
    numbers = [f"{shown(newest[name].value)}@{newest[name].stage}" if name in newest else "-" for name in names]
    model = build.model or "-"
    altered = f"{len(build.altered)} changed" if build.altered else ""
    return (
        visible_name(str(build.directory)),
        build.status,
        _local(build.ended),
        visible_name(model.rpartition("/")[2]),
        altered,
        *numbers,
    )


def _local(time: dt.datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def describe_build(described: DescribedBuild) -> str:
    """One build: what it was made from, its configuration, steps, numbers and artifacts."""
    build = described.build
    lines = [
        f"{build.name}: {build.status}, ended {_local(build.ended)}, {build.seconds:.2f} s, runtime {build.runtime}",
        *_block("made by", [(f"bskernel {described.bskernel}",)] if described.bskernel is not None else []),
        *_block("model", [(build.model, build.model_sha256 or "")] if build.model is not None else []),
        *_block("executors", [(name, digest or "digest not kept") for name, digest in build.executors.items()]),
        *_block("configuration", _settings(described.config or {})),
        *_block("steps", _steps(described)),
    ]
    if described.failure is not None:
        failure = described.failure
        lines += _block("failure", [(f"{described.failed_step}: {failure.category}: {failure.message}",)])
    newest = latest_of(build.quantities)
    lines += _block(
        "metrics",
        [
            (name, shown(item.value), "" if item.unit == "count" else item.unit, item.stage)
            for name, item in sorted(newest.items())
        ],
    )
    kept = [
        (name, item.kind, item.digest.sha256, f"{item.digest.size} B") for name, item in described.artifacts.items()
    ]
    lines += _block("artifacts", kept)
    return "\n".join([*lines, *(f"  changed since the build: {line}" for line in build.altered)])


def _steps(described: DescribedBuild) -> list[tuple[str, ...]]:
    said = {True: "cached here", False: "not cached here", None: ""}
    return [
        (step.name, step.status, f"{step.seconds:.2f} s", step.executor, (step.key or "")[:_SHORT], said[step.cached])
        for step in described.steps
    ]


def _settings(config: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (f"{section}.{key}", value_text(value))
        for section in _SHOWN_SECTIONS
        for key, value in _items(config.get(section))
        if value not in (None, "", {}, [])
    ]


def _items(section: Any) -> Iterable[tuple[str, Any]]:
    return section.items() if isinstance(section, Mapping) else ()


def _block(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {title}:", *(f"    {line}" for line in aligned(rows))] if rows else []
