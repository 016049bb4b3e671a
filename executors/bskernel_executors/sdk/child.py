"""One step, carried out in this process: manifest in, outputs and result.msgpack out."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

from bskernel_protocol import (
    PROTOCOL_VERSION,
    Failure,
    FailureCategory,
    ProtocolError,
    StepManifest,
    StepResult,
    decode_document,
    encode,
)
from bskernel_protocol.layout import INPUTS, MANIFEST, OUTPUTS, RESULT, WORK

from bskernel_executors.sdk.causes import failure_of
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


def _limit_memory(mebibytes: int | None) -> None:
    if mebibytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def _carry_out(entry: Entry, manifest: StepManifest, directory: Path, tell: Callable[[str], None]) -> StepResult:
    given = frozenset(artifact.name for artifact in manifest.inputs)
    for name in given:
        if not (directory / INPUTS / name).exists():
            raise StepFailure(
                category="executor", message=f"the manifest names the input {name!r}, but it is not there"
            )
    declared = entry.description.outputs
    out = directory / OUTPUTS
    step = Step(
        name=manifest.step,
        params=decode_parameters(entry.parameters, manifest.parameters, manifest.entry),
        directory=directory,
        inputs=given,
        tools=manifest.tools,
        outputs=frozenset(output.name for output in declared),
        tell=tell,
    )
    for required in (item.name for item in entry.description.inputs if item.required):
        step.required_input(required)
    _limit_memory(manifest.memory_mib)
    entry.function(step)
    failure = check_outputs(out, declared, (directory, directory.resolve()))
    return StepResult(
        protocol=PROTOCOL_VERSION,
        step=manifest.step,
        outputs=() if failure else tuple(sorted(path.name for path in out.iterdir())),
        record={} if failure else step.facts,
        failure=failure,
    )


def carry_out_step(registry: Registry, directory: Path, tell: Callable[[str], None]) -> StepResult:
    """Run the step in `directory` and write its result there; a failure is a result, not an exception."""
    for name in (OUTPUTS, WORK):
        (directory / name).mkdir(exist_ok=True)
    make_deterministic(directory / WORK)
    step = directory.name
    category: FailureCategory = "executor"
    try:
        manifest = read_manifest(directory)
        step = manifest.step
        entry = registry.find(manifest.entry)
        category = entry.description.failure
        result = _carry_out(entry, manifest, directory, tell)
        data = encode(result)
    except ProtocolError as error:
        failure = Failure(category="executor", message=f"{step} recorded what has no canonical form: {error}")
        result = StepResult(protocol=PROTOCOL_VERSION, step=step, failure=Redactor().failure(failure))
        data = encode(result)
    except Exception as error:  # noqa: BLE001 - whatever an entry raises becomes data
        failure = Redactor().failure(failure_of(error, step=step, category=category))
        result = StepResult(protocol=PROTOCOL_VERSION, step=step, failure=failure)
        data = encode(result)
    temporary = directory / f".{RESULT}"
    temporary.write_bytes(data)
    temporary.replace(directory / RESULT)
    return result
