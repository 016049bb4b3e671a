"""Runs one step: prepares its directory, has a session run it, captures its outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from bskernel_protocol import (
    Artifact,
    Event,
    Failure,
    ProtocolError,
    StepManifest,
    StepResult,
    canonical_bytes,
    decode_document,
)
from bskernel_protocol.layout import INPUTS, LOG, MANIFEST, OUTPUTS, RESULT, WORK

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import Session, SessionEnded, Store
from bskernel.core.manifest import manifest_of
from bskernel.core.places import Place, within
from bskernel.core.runtime_failures import crashed, out_of_memory, timed_out
from bskernel.core.step import Step
from bskernel.execution import dir_pool
from bskernel.execution.output_capture import capture_outputs, last_lines


class StepDirs(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of an ended step."""

    directory: Path
    inputs: Path


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a step that ran ended: a result or a failure, and its log; neither when it was interrupted."""

    result: ActionResult | None
    failure: Failure | None
    log: bytes
    peak_mib: int | None = None
    session_over: bool = False  # it failed because its whole session ended
    lost: bool = False  # its session is gone, and no step is to blame
    oom_kills: int = 0  # processes killed for lack of memory during the step, its own or others'
    used: StepDirs | None = None  # to be recycled


def prepare_step_dir(
    store: Store, manifest: StepManifest, directory: Path, inputs: Path, *, sealed: bool = False
) -> Failure | None:
    """Make a step directory: manifest, inputs (at `inputs`, `sealed` against writing), empty out/ and work/."""
    for folder in (directory / OUTPUTS, directory / WORK, inputs):
        folder.mkdir(parents=True, exist_ok=True)
    for artifact in manifest.inputs:
        if not store.materialise(artifact, inputs / artifact.name, read_only=sealed):
            return Failure(
                category="executor",
                message=f"input {artifact.name!r} is missing from the cache or corrupt",
                hint="run the build again: the step that produces it will run again",
            )
    dir_pool.overwrite(directory / MANIFEST, canonical_bytes(manifest))
    return None


def run_step(
    step: Step,
    inputs: dict[str, Artifact],
    store: Store,
    session: Session,
    on_event: Callable[[Event], None],
    folder: str,
) -> StepOutcome:
    """Run a step in a session, in the folder of that name, and capture its outputs.

    The caller recycles the folders it has used. Raises EnvironmentLacking when the disk of the session's folder is
    full, or refuses a write for other reasons.
    """
    place = Place("the folder of running steps", str(session.root.parent), "or set BSKERNEL_CACHE to another folder")
    with within(place):
        return _run_step(step, inputs, store, session, on_event, folder)


def _run_step(
    step: Step,
    inputs: dict[str, Artifact],
    store: Store,
    session: Session,
    on_event: Callable[[Event], None],
    folder: str,
) -> StepOutcome:
    if (session.root / folder).exists():
        # The step runs again, and its earlier folders are not recycled yet.
        folder = f"{folder}-{os.urandom(4).hex()}"
    directory, given = _folders(session, folder, inputs)
    failure = prepare_step_dir(store, manifest_of(step, inputs), directory, given, sealed=session.seals_inputs)
    if failure is not None:
        return StepOutcome(result=None, failure=failure, log=b"", used=StepDirs(directory=directory, inputs=given))
    ended = session.run(folder, timeout_s=step.timeout_s, memory_mib=step.memory_mib, on_event=on_event)
    if ended.interrupted:
        # The step may still run: its folder stays until its session closes.
        return StepOutcome(result=None, failure=None, log=_read(directory / LOG))
    log = _read(directory / LOG)
    if ended.cancelled:
        return StepOutcome(result=None, failure=None, log=log, used=StepDirs(directory=directory, inputs=given))
    outcome = _outcome(step, directory, ended, log, store)
    return StepOutcome(
        result=None if isinstance(outcome, Failure) else outcome,
        failure=outcome if isinstance(outcome, Failure) else None,
        log=log,
        peak_mib=ended.peak_mib,
        session_over=ended.session_over,
        lost=ended.lost,
        oom_kills=ended.oom_kills,
        used=StepDirs(directory=directory, inputs=given),
    )


def recycle(used: StepDirs) -> None:
    """Empty a step's folders for another step; takes as long as removing their content."""
    dir_pool.recycle(used.directory, used.inputs.name, _layout(used.inputs))


def _folders(session: Session, label: str, inputs: Iterable[str]) -> tuple[Path, Path]:
    """The step's folder and its inputs' folder, which it links to; spare ones if there are any."""
    directory = session.root / label
    while (name := dir_pool.take(session.root, label)) is not None:
        given = session.inputs_root / name
        # A step that still runs may have written to them since they were recycled.
        if dir_pool.reset_dir(directory, _layout(given)) and (directory / INPUTS).is_symlink():
            if not dir_pool.reset_dir(given, dict.fromkeys(inputs)):
                dir_pool.remove(given)
            return directory, given
        dir_pool.remove(directory)
    given = session.inputs_root / os.urandom(8).hex()
    directory.mkdir(parents=True)
    (directory / INPUTS).symlink_to(_link(given))
    return directory, given


def _link(given: Path) -> str:
    # Relative, so that it is valid on the host and wherever the folders are mounted.
    return f"../../{given.parent.name}/{given.name}"


def _layout(given: Path) -> dir_pool.Layout:
    return {INPUTS: _link(given), MANIFEST: None, OUTPUTS: {}, WORK: {"home": {}, "tmp": {}}}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _outcome(step: Step, directory: Path, ended: SessionEnded, log: bytes, store: Store) -> ActionResult | Failure:
    if ended.failure is not None:
        return timed_out(step, ended.failure) if ended.failure.category == "timeout" else ended.failure
    path = directory / RESULT
    if path.is_symlink() or not path.is_file():
        end = last_lines(log)
        return out_of_memory(step, ended, None, end) if ended.oom_kills else crashed(step, ended, end)
    try:
        result = decode_document(path.read_bytes())
    except (OSError, ProtocolError) as error:
        return Failure(category="executor", message=f"{step.executor} wrote an unreadable result: {error}")
    if not isinstance(result, StepResult) or result.step != step.name:
        return Failure(
            category="executor", message=f"{step.executor} wrote the result of another step than {step.name}"
        )
    if result.failure is not None and ended.oom_kills:
        return out_of_memory(step, ended, result.failure, ())
    return result.failure or capture_outputs(step, directory / OUTPUTS, result, log, store)
