"""Run one step in this process: read its manifest and inputs, call its entry, write outputs and result.msgpack."""

from __future__ import annotations

import os
import resource
import sys
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
from bskernel_protocol.layout import INPUTS, LOG, LOG_LARGEST, MANIFEST, OUTPUTS, RESULT, WORK
from bskernel_protocol.plain_file import NotPlainError, create_plain, read_plain, write_all

from bskernel_executors.sdk.causes import make_failure
from bskernel_executors.sdk.classification import FailureContext, refine
from bskernel_executors.sdk.confinement import Confinement, make_folders
from bskernel_executors.sdk.determinism import find_seed, make_deterministic, seed_generators
from bskernel_executors.sdk.kept_memory import keep_freed_memory
from bskernel_executors.sdk.outputs import check_outputs
from bskernel_executors.sdk.parameters import decode_parameters
from bskernel_executors.sdk.registry import Entry, Registry
from bskernel_executors.sdk.secrets import SecretFilter
from bskernel_executors.sdk.step import Step, StepFailure

_LARGEST = 64 << 20  # bytes of a manifest or a result


def read_manifest(directory: Path) -> StepManifest:
    """Read the manifest of a step directory. Raises StepFailure (executor)."""
    path = directory / MANIFEST
    try:
        document = decode_document(read_plain(str(path), _LARGEST))
    except (OSError, NotPlainError, ProtocolError) as error:
        raise StepFailure(category="executor", message=f"cannot read {MANIFEST}: {error}") from error
    if not isinstance(document, StepManifest):
        raise StepFailure(
            category="executor", message=f"{MANIFEST} contains a {type(document).__name__}, not a StepManifest"
        )
    return document


def find_manifest(directory: Path) -> StepManifest | None:
    """Read the manifest of a step directory; None if it cannot be read: the step fails anyway."""
    try:
        return read_manifest(directory)
    except StepFailure:
        return None


def limits_memory(directory: Path) -> bool:
    """Does the step have a memory limit? No if its manifest cannot be read."""
    manifest = find_manifest(directory)
    return manifest is not None and manifest.memory_mib is not None


def confine_step(
    registry: Registry,
    directory: Path,
    manifest: StepManifest | None,
    confinement: Confinement,
    slot: Path | None = None,
) -> bool:
    """Confine this process, which must have one thread, to a step's folder, or to its slot.

    What that does not prevent is printed. True if it prevents everything.
    """
    if manifest is not None and not registry.is_confined(manifest.entry):
        return False
    if not registry.confines_all:
        confinement.prepare()
    tools = manifest is not None and bool(manifest.tools)
    unprevented = confinement.apply(slot or directory, tools=tools, slot=slot is not None)
    if unprevented is not None:
        print(f"not confined: {unprevented}", file=sys.stderr)
    return unprevented is None


def _limit_memory(mebibytes: int | None) -> None:
    if mebibytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def _run_entry(entry: Entry, step: Step[Any], manifest: StepManifest, slot: Path | None) -> StepResult:
    for name in step.inputs:
        if not os.path.exists(f"{step.directory}/{INPUTS}/{name}"):  # noqa: PTH110 - half the time of pathlib's
            raise StepFailure(
                category="executor",
                message=f"{MANIFEST} lists the input {name!r}, which is not in {INPUTS}/",
            )
    for required in (item.name for item in entry.description.inputs if item.required):
        step.required_input(required)
    _limit_memory(manifest.memory_mib)
    entry.function(step)
    out = step.directory / OUTPUTS
    # What a process knows of its earlier steps lies in their slot, too.
    own = slot or step.directory
    failure = check_outputs(out, entry.description.outputs, (own, own.resolve()))
    return StepResult(
        protocol=PROTOCOL_VERSION,
        step=manifest.step,
        outputs=() if failure else tuple(sorted(path.name for path in out.iterdir())),
        record={} if failure else step.facts,
        failure=failure,
    )


def _make_step(
    entry: Entry,
    manifest: StepManifest,
    directory: Path,
    report_progress: Callable[[str], None],
    hint_values: dict[str, str],
) -> Step[Any]:
    return Step(
        name=manifest.step,
        entry=manifest.entry,
        executor=f"{manifest.executor}@{manifest.version}",
        params=decode_parameters(entry.parameters, manifest.parameters, manifest.entry),
        directory=directory,
        inputs=frozenset(artifact.name for artifact in manifest.inputs),
        outputs=frozenset(output.name for output in entry.description.outputs),
        report_progress=report_progress,
        tools=manifest.tools,
        hint_values=hint_values,
    )


def _context(registry: Registry, manifest: StepManifest, hint_values: dict[str, str]) -> FailureContext:
    return FailureContext(
        step=manifest.step,
        entry=manifest.entry,
        parameters=manifest.parameters,
        hint_values=hint_values,
        default_category=registry.failure_category(manifest.entry),
    )


def _make_relative(text: str, directory: Path) -> str:
    """The text with paths relative to the step directory, whose own path means nothing elsewhere."""
    for path in (directory.resolve(), directory):
        text = text.replace(f"{path}/", "")
    return text


def _failed_result(failure: Failure, step: str, directory: Path) -> StepResult:
    portable = msgspec.structs.replace(
        failure,
        message=_make_relative(failure.message, directory),
        cause=tuple(_make_relative(line, directory) for line in failure.cause),
    )
    return StepResult(protocol=PROTOCOL_VERSION, step=step, failure=SecretFilter().redact_failure(portable))


def run_step(
    registry: Registry,
    directory: Path,
    manifest: StepManifest | None,
    report_progress: Callable[[str], None],
    slot: Path | None = None,
) -> StepResult:
    """Run the step in `directory` and write its result there. A failure is a result, not an exception.

    Without a manifest, which then cannot be read, the result says why. `slot` is the folder of all steps that this
    process may run.
    """
    keep_freed_memory()
    if slot is not None:
        make_folders(directory)
    make_deterministic(directory / WORK)
    hint_values: dict[str, str] = {}
    memory_mib: int | None = None
    context = FailureContext(step=directory.name, default_category="executor")
    try:
        manifest = manifest or read_manifest(directory)
        seed_generators(find_seed(manifest))
        context, memory_mib = _context(registry, manifest, hint_values), manifest.memory_mib
        entry = registry.find(manifest.entry)
        step = _make_step(entry, manifest, directory, report_progress, hint_values)
        result = _run_entry(entry, step, manifest, slot)
        data = encode(result)
    except ProtocolError as error:
        failure = Failure(
            category="executor", message=f"{context.step} recorded a value that cannot be encoded: {error}"
        )
        result = _failed_result(failure, context.step, directory)
        data = encode(result)
    # Whatever an entry raises becomes data; some libraries raise SystemExit.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        failure = make_failure(error, context, registry.rules, memory_mib)
        result = _failed_result(failure, context.step, directory)
        data = encode(result)
    _write(directory / RESULT, data)
    return result


def refine_result(registry: Registry, directory: Path) -> None:
    """Refine the result of a failed step with its complete log, which holds the tools' messages."""
    # The step may have left anything in place of these files, also what would hang or end the server.
    try:
        result = decode_document(read_plain(str(directory / RESULT), _LARGEST))
        if not isinstance(result, StepResult) or result.failure is None:
            return
        manifest = read_manifest(directory)
        log = read_plain(str(directory / LOG), LOG_LARGEST)
        failure = refine(result.failure, _context(registry, manifest, {}), _texts_of(log), registry.rules)
        if failure != result.failure:
            _write(directory / RESULT, encode(_failed_result(failure, result.step, directory)))
    except (OSError, NotPlainError, ProtocolError, StepFailure):
        return  # the kernel reports what is wrong with it


def _texts_of(log: bytes) -> list[str]:
    return [_text_of(line) for line in log.splitlines()]


def _text_of(line: bytes) -> str:
    try:
        return str(msgspec.json.decode(line, type=LogLine).text)
    except (msgspec.DecodeError, RecursionError):
        return line.decode("utf-8", "replace")


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    fd = create_plain(str(temporary))
    try:
        write_all(fd, data)
    finally:
        os.close(fd)
    temporary.replace(path)
