"""Where each input of a step comes from: an earlier step, a file that the build names, the user's model. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import ArtifactKind, InputDescription

from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.core.step import FromFile, FromStep, Source, Step
from bskernel.flow.resolution import ResolvedFlowStep

# What there is at a path: a file, a tree, or None. Planning asks; it looks at no disk itself.
KindOf: TypeAlias = Callable[[Path], ArtifactKind | None]


def _user_source(
    text: str,
    wanted: InputDescription,
    earlier: Mapping[str, Step],
    removed: Collection[str],
    folder: Path,
    where: str,
    kind_of: KindOf,
) -> Source:
    step, _, output = text.rpartition(".")
    if step in earlier:
        made = [item.name for item in earlier[step].outputs]
        if output not in made:
            raise ConfigError(f"{where}: step {step} has no output {output!r}", hint=choices(output, made, "outputs"))
        return FromStep(step=step, output=output)
    path = folder / text
    kind = kind_of(path)
    if kind is None:
        if step in removed:
            raise ConfigError(f"{where}: there is no {text}: [flow.edit] removes that step", hint="name another")
        raise ConfigError(
            f"{where}: there is no file {path}",
            hint=f"or name an earlier step's output as STEP.OUTPUT; steps: {', '.join(earlier) or 'none'}",
        )
    if wanted.kind not in {kind, "any"}:
        raise ConfigError(f"{where}: {path} is not a {'folder' if wanted.kind == 'tree' else 'file'}")
    return FromFile(path=path, kind=kind)


class UpstreamModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps before the range would have made: only their last model, which is the user's file instead."""

    model: Path
    left_out: frozenset[str]  # STEP.OUTPUT of the steps before the range
    stands_for: str | None  # the step of the flow whose model the file is
    removed: frozenset[str]  # steps that the build's edits take away


def upstream_model(
    wanted: Sequence[ResolvedFlowStep], start: int, model: Path, removed: frozenset[str]
) -> UpstreamModel:
    """What the steps before index `start` of the flow leave to the user's file."""
    before = wanted[:start]
    makers = [item.name for item in before if any(output.name == "model" for output in item.entry.outputs)]
    source = wanted[start].options.inputs.get("model", "").rpartition(".")[0]
    stands_for = source if source in makers else makers[-1] if makers else None
    left_out = frozenset(f"{item.name}.{output.name}" for item in before for output in item.entry.outputs)
    return UpstreamModel(model=model, left_out=left_out, stands_for=stands_for, removed=removed)


def resolve_sources(
    wanted: ResolvedFlowStep,
    earlier: Mapping[str, Step],
    newest: Mapping[str, str],
    given: UpstreamModel,
    build: Mapping[str, Any],
    path: Path,
    kind_of: KindOf,
) -> dict[str, Source]:
    """The source of each input that is given; `newest` names the last of the `earlier` steps that makes an output.

    Raises ConfigError: no such input, output or file, or nothing gives a required one.
    """
    folder, where = path.parent, f"{path}: step {wanted.name}"
    declared = {item.name: item for item in wanted.entry.inputs}
    for name in wanted.options.inputs:
        if name not in declared:
            raise ConfigError(
                f"{where}: {wanted.entry.name} has no input {name!r}",
                hint=choices(name, list(declared), "inputs"),
            )
    sources: dict[str, Source] = {}
    for name, item in declared.items():
        if name in wanted.options.inputs:
            text = wanted.options.inputs[name]
            if text in build:  # a flow names a file of the build's by its key
                sources[name] = _user_source(str(build[text]), item, {}, (), folder, f"{path}: {text}", kind_of)
            elif text not in given.left_out:
                sources[name] = _user_source(
                    text, item, earlier, given.removed, folder, f"{where}: inputs.{name}", kind_of
                )
            elif text == f"{given.stands_for}.model":
                sources[name] = FromFile(path=given.model, kind="file")
            elif item.required:
                raise ConfigError(
                    f"{where}: its input {name!r} is {text}, of a step that is left out",
                    hint=f"begin there or before, or set inputs.{name} = a {item.kind}: {item.help}",
                )
            continue
        if item.source == "config" and item.default_from in build:
            key = str(item.default_from)
            sources[name] = _user_source(str(build[key]), item, {}, (), folder, f"{path}: {key}", kind_of)
            continue
        if item.source == "flow" and name in newest:
            sources[name] = FromStep(step=newest[name], output=name)
        elif item.source == "flow" and name == "model":
            sources[name] = FromFile(path=given.model, kind="file")
        elif item.required:
            raise ConfigError(
                f"{where}: nothing gives its input {name!r}",
                hint=f"put a step that makes it before, or set inputs.{name} = a {item.kind}: {item.help}",
            )
    return sources
