"""Resolves the source of each input: an earlier step, a file of the build, or the user's model. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import InputDescription

from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.core.step import FromFile, FromFiles, FromStep, Source, Step
from bskernel.flow.resolution import ResolvedFlowStep
from bskernel.plan.user_files import ONNX, UserFiles

MODEL, EXTERNAL_DATA = "model", "external_data"  # inputs: the network, and the files in which it keeps tensors


def _user_source(
    text: str,
    wanted: InputDescription,
    earlier: Mapping[str, Step],
    removed: Collection[str],
    folder: Path,
    where: str,
    files: UserFiles,
) -> Source:
    step, _, output = text.rpartition(".")
    if step in earlier:
        made = [item.name for item in earlier[step].outputs]
        if output not in made:
            raise ConfigError(f"{where}: step {step} has no output {output!r}", hint=choices(output, made, "outputs"))
        return FromStep(step=step, output=output)
    path = folder / text
    kind = files.kind_of(path)
    if kind is None:
        if step in removed:
            raise ConfigError(
                f"{where}: {text} does not exist: [flow.edit] removes step {step}", hint="name another step"
            )
        raise ConfigError(
            f"{where}: no such file: {path}",
            hint=f"name a file, or an earlier step's output as STEP.OUTPUT; steps: {', '.join(earlier) or 'none'}",
        )
    if wanted.kind not in {kind, "any"}:
        raise ConfigError(f"{where}: {path} is not a {'folder' if wanted.kind == 'tree' else 'file'}")
    if kind == "file":
        files.check(path, wanted.media_type, where)
    return FromFile(path=path, kind=kind)


class UpstreamModel(msgspec.Struct, frozen=True, kw_only=True):
    """The user's model in place of what the steps before the range would have produced."""

    model: Path
    left_out: frozenset[str]  # STEP.OUTPUT of the steps before the range
    stands_for: str | None  # the step whose model the file replaces
    removed: frozenset[str]  # steps that the build's edits remove


def upstream_model(
    wanted: Sequence[ResolvedFlowStep], start: int, model: Path, removed: frozenset[str]
) -> UpstreamModel:
    """The user's model in place of the steps before index `start` of the flow."""
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
    folder: Path,
    files: UserFiles,
) -> dict[str, Source]:
    """The source of each input of a step; `newest` maps an output to the last of `earlier` that produces it.
    Messages name the configuration at `path`; its relative paths start at `folder`.

    Raises ConfigError for an unknown input, output or file, and for a required input without a source.
    """
    where = f"{path}: step {wanted.name}"
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
            if text in build:  # the flow names a file by the build's key
                sources[name] = _user_source(str(build[text]), item, {}, (), folder, f"{path}: {text}", files)
            elif text not in given.left_out:
                sources[name] = _user_source(
                    text, item, earlier, given.removed, folder, f"{where}: inputs.{name}", files
                )
            elif text == f"{given.stands_for}.model":
                sources[name] = _given_model(given, item, path, files)
            elif item.required:
                raise ConfigError(
                    f"{where}: input {name!r} is {text}, from a step outside the range",
                    hint=f"start the build there or earlier, or set inputs.{name} = a {item.kind}: {item.help}",
                )
            continue
        if item.source == "config" and item.default_from in build:
            key = str(item.default_from)
            sources[name] = _user_source(str(build[key]), item, {}, (), folder, f"{path}: {key}", files)
            continue
        if item.source == "flow" and name in newest:
            sources[name] = FromStep(step=newest[name], output=name)
        elif item.source == "flow" and name == "model":
            sources[name] = _given_model(given, item, path, files)
        elif item.required:
            raise ConfigError(
                f"{where}: input {name!r} has no source",
                hint=f"add an earlier step that produces it, or set inputs.{name} = a {item.kind}: {item.help}",
            )
    external = _external_data(sources, declared, given, path, where, files)
    return sources if external is None else {**sources, EXTERNAL_DATA: external}


def _given_model(given: UpstreamModel, wanted: InputDescription, path: Path, files: UserFiles) -> FromFile:
    files.check(given.model, wanted.media_type, f"{path}: build.model")
    return FromFile(path=given.model, kind="file")


def _external_data(
    sources: Mapping[str, Source],
    declared: Mapping[str, InputDescription],
    given: UpstreamModel,
    path: Path,
    where: str,
    files: UserFiles,
) -> FromFiles | None:
    """The files beside the user's model in which it keeps tensors; None without any, and where the build names some.

    Raises ConfigError when one is missing, or when the step cannot read them.
    """
    model = sources.get(MODEL)
    if not isinstance(model, FromFile) or declared[MODEL].media_type != ONNX or EXTERNAL_DATA in sources:
        return None
    names = files.external_data(model.path, f"{path}: build.model" if model.path == given.model else where)
    if names and EXTERNAL_DATA not in declared:
        raise ConfigError(
            f"{where}: {model.path} keeps tensors in {', '.join(names)}, but this step reads the model's file alone",
            hint='save it in one file: onnx.save(onnx.load("net.onnx"), "whole.onnx")',
        )
    return FromFiles(folder=model.path.parent, names=names) if names else None
