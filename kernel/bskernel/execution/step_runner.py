"""One step of a build: recall it, or lay out its directory, have it carried out, and keep what it made."""

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
from bskernel.core.runtime_failures import crashed, out_of_memory, timed_out
from bskernel.core.step import Step
from bskernel.execution import dir_pool
from bskernel.execution.output_capture import capture_outputs, last_lines


class StepDirs(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of a step that is over."""

    directory: Path
    inputs: Path


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a step that ran: a result or a failure, and its log; neither when it was interrupted."""

    result: ActionResult | None
    failure: Failure | None
    log: bytes
    peak_mib: int | None = None
    session_over: bool = False  # it failed because its whole session ended
    lost: bool = False  # its session went away for a reason that no step gave
    oom_kills: int = 0  # processes that the system ended meanwhile, the step's own or those of others beside it
    used: StepDirs | None = None  # to be given back


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
                message=f"the bytes of input {artifact.name!r} are gone from the cache or damaged",
                hint="run the build again: the step that makes it will run anew",
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
    """Carry out a step in a running session, in the folder of that name, and keep its outputs.

    The folders that it has used are still to be given back.
    """
    if (session.root / folder).exists():
        # The step runs again, and what it used before is not given back yet.
        folder = f"{folder}-{os.urandom(4).hex()}"
    directory, given = _folders(session, folder, inputs)
    failure = prepare_step_dir(store, manifest_of(step, inputs), directory, given, sealed=session.seals_inputs)
    if failure is not None:
        return StepOutcome(result=None, failure=failure, log=b"", used=StepDirs(directory=directory, inputs=given))
    ended = session.run(folder, timeout_s=step.timeout_s, memory_mib=step.memory_mib, on_event=on_event)
    if ended.interrupted:
        # The step may still run: its folder stays until its session is closed.
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
    """Empty a step's folders for another step, which takes as long as the disk does to remove what they hold."""
    dir_pool.recycle(used.directory, used.inputs.name, _kept(used.inputs))


def _folders(session: Session, label: str, inputs: Iterable[str]) -> tuple[Path, Path]:
    """A step's folder and that of its inputs, which it links to: spare ones, emptied but for what it overwrites."""
    directory = session.root / label
    while (name := dir_pool.take(session.root, label)) is not None:
        given = session.inputs_root / name
        # What runs beside may have written to them since they were given back.
        if dir_pool.reset_dir(directory, _kept(given)) and (directory / INPUTS).is_symlink():
            if not dir_pool.reset_dir(given, dict.fromkeys(inputs)):
                dir_pool.remove(given)
            return directory, given
        dir_pool.remove(directory)
    given = session.inputs_root / os.urandom(8).hex()
    directory.mkdir(parents=True)
    (directory / INPUTS).symlink_to(_link(given))
    return directory, given


def _link(given: Path) -> str:
    # Relative, so that it holds on the host and wherever the folders are mounted.
    return f"../../{given.parent.name}/{given.name}"


def _kept(given: Path) -> dir_pool.Layout:
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
        return Failure(category="executor", message=f"{step.executor} wrote a result that cannot be read: {error}")
    if not isinstance(result, StepResult) or result.step != step.name:
        return Failure(category="executor", message=f"{step.executor} wrote a result that is not of step {step.name}")
    if result.failure is not None and ended.oom_kills:
        return out_of_memory(step, ended, result.failure, ())
    return result.failure or capture_outputs(step, directory / OUTPUTS, result, log, store)
