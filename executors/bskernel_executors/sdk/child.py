"""One step, carried out in this process: manifest in, outputs and result.msgpack out."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Failure,
    LogLine,
    ProtocolError,
    StepManifest,
    StepResult,
    decode_document,
    encode,
)
from bskernel_protocol.layout import INPUTS, LOG, MANIFEST, OUTPUTS, RESULT, WORK

from bskernel_executors.sdk.causes import failure_of
from bskernel_executors.sdk.deciding import About, refine
from bskernel_executors.sdk.determinism import make_deterministic
from bskernel_executors.sdk.outputs import check_outputs
from bskernel_executors.sdk.parameters import decode_parameters
from bskernel_executors.sdk.registry import Entry, Registry
from bskernel_executors.sdk.secrets import Redactor
from bskernel_executors.sdk.step import Step, StepFailure


def read_manifest(directory: Path) -> StepManifest:
    """The manifest of a step directory. Raises StepFailure (protocol)."""
    path = directory / MANIFEST
    try:
        document = decode_document(path.read_bytes())
    except (OSError, ProtocolError) as error:
        raise StepFailure(category="executor", message=f"cannot read {MANIFEST}: {error}") from error
    if not isinstance(document, StepManifest):
        raise StepFailure(category="executor", message=f"{MANIFEST} holds a {type(document).__name__}")
    return document


def uses_tools(directory: Path) -> bool:
    """Are installed tools mounted for the step? A manifest that cannot be read names none: its step fails anyway."""
    try:
        return bool(read_manifest(directory).tools)
    except StepFailure:
        return False


def limits_memory(directory: Path) -> bool:
    """Is the step's memory limited? By a manifest that cannot be read it is not."""
    try:
        return read_manifest(directory).memory_mib is not None
    except StepFailure:
        return False


def _limit_memory(mebibytes: int | None) -> None:
    if mebibytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def _carry_out(entry: Entry, step: Step[Any], manifest: StepManifest) -> StepResult:
    for name in step.inputs:
        if not (step.directory / INPUTS / name).exists():
            raise StepFailure(
                category="executor", message=f"the manifest names the input {name!r}, but it is not there"
            )
    for required in (item.name for item in entry.description.inputs if item.required):
        step.required_input(required)
    _limit_memory(manifest.memory_mib)
    entry.function(step)
    out = step.directory / OUTPUTS
    failure = check_outputs(out, entry.description.outputs, (step.directory, step.directory.resolve()))
    return StepResult(
        protocol=PROTOCOL_VERSION,
        step=manifest.step,
        outputs=() if failure else tuple(sorted(path.name for path in out.iterdir())),
        record={} if failure else step.facts,
        failure=failure,
    )


def _step(
    entry: Entry, manifest: StepManifest, directory: Path, tell: Callable[[str], None], values: dict[str, str]
) -> Step[Any]:
    return Step(
        name=manifest.step,
        params=decode_parameters(entry.parameters, manifest.parameters, manifest.entry),
        directory=directory,
        inputs=frozenset(artifact.name for artifact in manifest.inputs),
        outputs=frozenset(output.name for output in entry.description.outputs),
        tell=tell,
        tools=manifest.tools,
        values=values,
    )


def _about(registry: Registry, manifest: StepManifest, values: dict[str, str]) -> About:
    return About(
        step=manifest.step,
        entry=manifest.entry,
        parameters=manifest.parameters,
        values=values,
        declared=registry.category(manifest.entry),
    )


def _without(text: str, directory: Path) -> str:
    """A text without the step directory's own path, which says nothing elsewhere."""
    for path in (directory.resolve(), directory):
        text = text.replace(f"{path}/", "")
    return text


def _failed(failure: Failure, step: str, directory: Path) -> StepResult:
    said = msgspec.structs.replace(
        failure,
        message=_without(failure.message, directory),
        cause=tuple(_without(line, directory) for line in failure.cause),
    )
    return StepResult(protocol=PROTOCOL_VERSION, step=step, failure=Redactor().failure(said))


def carry_out_step(registry: Registry, directory: Path, tell: Callable[[str], None]) -> StepResult:
    """Run the step in `directory` and write its result there; a failure is a result, not an exception."""
    for name in (OUTPUTS, WORK):
        (directory / name).mkdir(exist_ok=True)
    make_deterministic(directory / WORK)
    values: dict[str, str] = {}
    memory_mib: int | None = None
    about = About(step=directory.name, declared="executor")
    try:
        manifest = read_manifest(directory)
        about, memory_mib = _about(registry, manifest, values), manifest.memory_mib
        entry = registry.find(manifest.entry)
        result = _carry_out(entry, _step(entry, manifest, directory, tell, values), manifest)
        data = encode(result)
    except ProtocolError as error:
        failure = Failure(category="executor", message=f"{about.step} recorded what has no canonical form: {error}")
        result = _failed(failure, about.step, directory)
        data = encode(result)
    # Whatever an entry raises becomes data; libraries end themselves with SystemExit.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        result = _failed(failure_of(error, about, registry.rules, memory_mib), about.step, directory)
        data = encode(result)
    _write(directory / RESULT, data)
    return result


def refine_result(registry: Registry, directory: Path) -> None:
    """Once the step's log is whole: decide its failure, if it has one, by what tools said there too."""
    try:
        result = decode_document((directory / RESULT).read_bytes())
        if not isinstance(result, StepResult) or result.failure is None:
            return
        manifest = read_manifest(directory)
    except (OSError, ProtocolError, StepFailure):
        return  # the kernel says what is wrong with it
    lines = [_text_of(line) for line in (directory / LOG).read_bytes().splitlines()]
    failure = refine(result.failure, _about(registry, manifest, {}), lines, registry.rules)
    if failure != result.failure:
        _write(directory / RESULT, encode(_failed(failure, result.step, directory)))


def _text_of(line: bytes) -> str:
    try:
        return str(msgspec.json.decode(line, type=LogLine).text)
    except msgspec.DecodeError:
        return line.decode("utf-8", "replace")


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(data)
    temporary.replace(path)
