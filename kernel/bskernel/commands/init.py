"""Starts a project: finds the model, has it described, and checks a build.toml before it is written."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bskernel.config import Config
from bskernel.config.assignments import ConfigText
from bskernel.config.reader import override_store
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.core.observers import SilentObserver
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.loader import check_config, flow_names, load_flow
from bskernel.plan.user_files import ONNX
from bskernel.scaffold.network import ENTRY, OUTPUT, DescribedNetwork, read_description
from bskernel.scaffold.new_build import Target
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.user_files import FilesOnDisk
from bskernel.workspace.workspace import Workspace

FIRST_FLOW = "estimate"
_LISTED = 20  # models to choose from
_BREVITAS = 'brevitas.export.export_qonnx(network, args=images, export_path="net.onnx")'
_EXPORTS = {
    (".pt", ".pth", ".ckpt", ".safetensors"): f"load it into its network, then export that to QONNX: {_BREVITAS}",
    (".h5", ".hdf5", ".keras"): "export a QKeras network to QONNX: qonnx.converters.from_keras(network, "
    'output_path="net.onnx")',
    (".tflite",): "export the network that it was made from: bskernel reads ONNX and QONNX",
    (".pb",): "convert it with tf2onnx, or export the QKeras network with qonnx.converters.from_keras",
}


def find_model(folder: Path, named: Path | None, files: FilesOnDisk) -> Path:
    """The model that the user named, or the only ONNX file of the folder. Raises ConfigError."""
    if named is None:
        found = sorted(path for path in folder.glob("*.onnx") if path.is_file())
        if not found:
            other = next((path for path in sorted(folder.iterdir()) if _how_to_export(path)), None)
            hint = f"{other.name}: {_how_to_export(other)}" if other is not None else "bskernel init path/to/net.onnx"
            raise ConfigError("there is no ONNX file in this folder", hint=hint)
        if len(found) > 1:
            names = [path.name for path in found]
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            raise ConfigError(
                f"there are {len(found)} ONNX files in this folder: {', '.join(names[:_LISTED])}{more}",
                hint=f"name one: bskernel init {names[0]}",
            )
        named = found[0]
    if not named.exists():
        here = ", ".join(path.name for path in sorted(folder.glob("*.onnx"))[:_LISTED])
        raise ConfigError(f"{named}: no such file", hint=f"ONNX files here: {here}" if here else None)
    if named.is_dir():
        inside = next(iter(sorted(named.glob("*.onnx"))), None)
        raise ConfigError(f"{named} is a folder", hint=f"bskernel init {inside}" if inside else "name an ONNX file")
    try:
        files.check(named, ONNX, "MODEL")
    except ConfigError as error:
        raise ConfigError(error.message.removeprefix("MODEL: "), hint=_how_to_export(named) or error.hint) from error
    return named


def _how_to_export(path: Path) -> str | None:
    return next((how for suffixes, how in _EXPORTS.items() if path.suffix.lower() in suffixes), None)


class _NoteObserver(SilentObserver):
    """Passes on remarks alone: one short step is not worth a progress bar."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def note(self, text: str) -> None:
        """Pass it on."""
        self._note(text)


def describe_network(
    workspace: Workspace, model: Path, runtime: str, note: Callable[[str], None]
) -> DescribedNetwork:
    """Describe a model in a session of its executor; recalled if it was described before.

    Raises ConfigError for a model that cannot be read, EnvironmentLacking.
    """
    from bskernel.commands.build import run_build

    data = {"build": {"model": str(model.resolve()), "name": "description"}, "step": [{"entry": ENTRY}]}
    config = msgspec.convert(data, Config)
    with tempfile.TemporaryDirectory(prefix="bskernel-init-") as folder:
        path = Path(folder).resolve() / "build.toml"
        loaded = LoadedConfig(config=config, path=path, flow=load_flow(config, path))
        prepared = workspace.prepare_loaded(loaded, output=path.parent / "out")
        result = run_build(workspace, prepared, _NoteObserver(note), options=BuildOptions(runtime=runtime))
        if result.status == "interrupted":
            raise KeyboardInterrupt
        failure = result.failure
        if failure is not None:
            text = " | ".join((failure.message.removeprefix("describe: "), *failure.cause[-1:]))
            kind = EnvironmentLacking if failure.category in {"environment", "licence", "timeout"} else ConfigError
            raise kind(f"{model}: {text}", hint=failure.hint)
        description = workspace.store.get(result.artifacts[OUTPUT].digest)
        if description is None:
            raise EnvironmentLacking("the cache lost the description of the model", hint="run it again")
        return read_description(description)


def boards_of(workspace: Workspace) -> dict[str, str]:
    """The boards that the default executors know, with their parts."""
    return {
        board: part
        for info in workspace.executors.known
        if info.default
        for board, part in info.catalogue.boards.items()
    }


def check_choice(workspace: Workspace, path: Path, model: str, target: Target, flow: str | None) -> None:
    """Raise ConfigError for a target that no flow takes, and for an unknown flow."""
    if flow is not None and flow not in flow_names() and not flow.endswith(".toml"):
        raise ConfigError(f"unknown flow {flow!r}", hint=choices(flow, flow_names(), "flows"))
    given = {key: value for key, value in msgspec.structs.asdict(target).items() if value is not None}
    try:
        _plan(workspace, path, {"build": {"model": model, "flow": FIRST_FLOW}, "target": given})
    except ConfigError as error:
        raise ConfigError(_without_path(error.message, path), hint=error.hint) from error


def list_open_ends(workspace: Workspace, path: Path, text: str) -> tuple[str, ...]:
    """What is to do before a build.toml that is not written yet can be run here; and warnings of its plan."""
    try:
        return _plan(workspace, path, tomllib.loads(text))
    except (ConfigError, EnvironmentLacking) as error:
        hint = f": {error.hint}" if error.hint else ""
        return (f"before it runs: {_without_path(error.message, path)}{hint}",)


def _without_path(message: str, path: Path) -> str:
    """A message about a file that is not written yet: without its path."""
    return message.removeprefix(f"{path.absolute()}: ")


def _plan(workspace: Workspace, path: Path, data: dict[str, Any]) -> tuple[str, ...]:
    """Plan the data of a build.toml; returns the plan's warnings. Raises ConfigError, EnvironmentLacking."""
    text = ConfigText(path=path.absolute(), data=override_store(data, os.environ))
    return workspace.prepare_loaded(check_config(text)).plan.warnings
