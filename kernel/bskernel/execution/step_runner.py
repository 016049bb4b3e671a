"""Runs one step: prepares its directory, has a session run it, captures its outputs."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec
from bskernel_protocol import (
    Artifact,
    Event,
    Failure,
    LogLine,
    ProtocolError,
    StepManifest,
    StepResult,
    canonical_bytes,
    decode_document,
)
from bskernel_protocol.layout import INPUTS, LOG, LOG_LARGEST, MANIFEST, OUTPUTS, RESULT, WORK

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import Session, SessionEnded, Store
from bskernel.core.log_lines import last_lines, tidy_log
from bskernel.core.manifest import manifest_of
from bskernel.core.places import Place, within
from bskernel.core.record_form import bounded_failure
from bskernel.core.runtime_failures import crashed, input_lost, out_of_memory, timed_out
from bskernel.core.step import Step
from bskernel.execution import dir_pool
from bskernel.execution.output_capture import capture_outputs
from bskernel.remains.folder import ASIDE, RemainsRefused, opened_folder, read_file
from bskernel.remains.limits import RESULT_LARGEST
from bskernel.remains.removal import remove

# What lasts while a step's process runs, given the folder's name in the session.
During: TypeAlias = Callable[[str], contextlib.AbstractContextManager[None]]
_NO_ROOM = 1 << 20  # bytes: a disk with less is full


class StepDirs(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of an ended step, where its session cannot reach them."""

    directory: Path
    inputs: Path
    link: str  # from the step's folder to its inputs, while the session has both


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
            return input_lost(artifact.name)
    dir_pool.overwrite(directory / MANIFEST, canonical_bytes(manifest))
    return None


def run_step(
    step: Step,
    inputs: dict[str, Artifact],
    store: Store,
    session: Session,
    on_event: Callable[[Event], None],
    folder: str,
    during: During = lambda _: contextlib.nullcontext(),
) -> StepOutcome:
    """Run a step in a session, in the folder of that name, or SLOT/steps/NAME, and capture its outputs.

    In a slot it may run in the process that ran another step there. So folders of a slot are used again for steps of
    the slot alone: what a process has still open of an earlier step is nobody else's.

    Its folders are made where no step of the session can write, and taken there again when it has ended: what still
    runs in the session finds nothing to change any more. The caller recycles the folders it has used. Raises
    EnvironmentLacking when the disk of the session's folder is full, or refuses a write for other reasons.
    """
    place = Place("the folder of running steps", str(session.root.parent), "or set BSKERNEL_CACHE to another folder")
    with within(place):
        outcome = _run_step(step, inputs, store, session, on_event, folder, during)
        if outcome.failure is not None and outcome.failure.category == "crash":
            # A process that cannot write its last words ends like this, and cannot say why.
            _refuse_full_disk(session.root)
    return outcome


def _refuse_full_disk(folder: Path) -> None:
    status = os.statvfs(folder)
    if status.f_bavail * status.f_frsize < _NO_ROOM or (status.f_files and not status.f_favail):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _run_step(
    step: Step,
    inputs: dict[str, Artifact],
    store: Store,
    session: Session,
    on_event: Callable[[Event], None],
    folder: str,
    during: During,
) -> StepOutcome:
    if os.path.lexists(session.root / folder):
        # The step runs again, and its earlier folders are still in use.
        folder = f"{folder}-{os.urandom(4).hex()}"
    slot, _, name = folder.rpartition("/")
    aside, all_inputs = session.root.with_name(ASIDE) / slot, session.inputs_root / slot
    for place in (session.root / slot, all_inputs, aside):
        if not os.path.isdir(place):
            os.makedirs(place, 0o700, exist_ok=True)
    to_inputs = os.path.relpath(all_inputs, session.root / folder)
    made = _folders(aside, f"{name}-{os.urandom(4).hex()}", to_inputs, inputs)
    manifest, given = manifest_of(step, inputs), all_inputs / made.inputs.name
    failure = prepare_step_dir(store, manifest, made.directory, made.inputs, sealed=session.seals_inputs)
    if failure is not None:
        return StepOutcome(result=None, failure=failure, log=b"", used=made)
    os.rename(made.inputs, given)
    try:
        os.rename(made.directory, session.root / folder)
    except OSError:  # another step has put something there
        folder = f"{folder}-{os.urandom(4).hex()}"
        os.rename(made.directory, session.root / folder)
    with during(folder):
        ended = session.run(folder, timeout_s=step.timeout_s, memory_mib=step.memory_mib, on_event=on_event)
    if ended.interrupted:
        # The step may still run: its folder stays until its session closes.
        return StepOutcome(result=None, failure=None, log=_read_log(session.root / folder))
    try:
        os.rename(session.root / folder, made.directory)
        os.rename(given, made.inputs)
    except OSError as error:
        gone = f"the folder of step {step.name} is gone or cannot be taken away: {error.strerror}"
        failure = ended.failure or Failure(category="executor", message=gone)
        return _ended(ended, StepOutcome(result=None, failure=failure, log=b""))
    log = _read_log(made.directory)
    if ended.cancelled:
        return StepOutcome(result=None, failure=None, log=log, used=made)
    outcome = _outcome(step, made.directory, ended, log, store)
    return _ended(
        ended,
        StepOutcome(
            result=None if isinstance(outcome, Failure) else outcome,
            failure=outcome if isinstance(outcome, Failure) else None,
            log=log,
            used=made,
        ),
    )


def _ended(ended: SessionEnded, outcome: StepOutcome) -> StepOutcome:
    return msgspec.structs.replace(
        outcome,
        peak_mib=ended.peak_mib,
        session_over=ended.session_over,
        lost=ended.lost,
        oom_kills=ended.oom_kills,
    )


def recycle(used: StepDirs) -> None:
    """Empty a step's folders for another step; takes as long as removing their content."""
    dir_pool.recycle(used.directory, used.inputs.name, _layout(used.link))


def _folders(aside: Path, name: str, to_inputs: str, inputs: Mapping[str, Artifact]) -> StepDirs:
    """A step's folder and its inputs' folder, which it links to; spare ones if there are any."""
    directory = aside / name
    # Files are overwritten; in place of what will be a tree nothing may be left.
    files = {one: None for one, artifact in inputs.items() if artifact.kind == "file"}
    while (spare := dir_pool.take(aside, name)) is not None:
        given, link = aside / spare.name, f"{to_inputs}/{spare.name}"
        layout = _layout(link)
        if dir_pool.is_as_left(directory, layout, spare) or (
            dir_pool.reset_dir(directory, layout) and (directory / INPUTS).is_symlink()
        ):
            if not dir_pool.reset_dir(given, files):
                remove(given)
            return StepDirs(directory=directory, inputs=given, link=link)
        remove(directory)
    given = aside / os.urandom(8).hex()
    link = f"{to_inputs}/{given.name}"  # relative, so that it is valid on the host and wherever they are mounted
    directory.mkdir(mode=0o700)
    (directory / INPUTS).symlink_to(link)
    return StepDirs(directory=directory, inputs=given, link=link)


def _layout(link: str) -> dir_pool.Layout:
    return {INPUTS: link, MANIFEST: None, OUTPUTS: {}, WORK: {"home": {}, "tmp": {}}}


def _read_log(directory: Path) -> bytes:
    """A step's log; what stands in its place is said in one line."""
    try:
        with opened_folder(directory) as opened:
            return tidy_log(read_file(opened, LOG, LOG_LARGEST))
    except FileNotFoundError:
        return b""
    except RemainsRefused as error:
        return msgspec.json.encode(LogLine(seconds=0.0, stream="stderr", text=f"no log: {error}")) + b"\n"


def _outcome(step: Step, directory: Path, ended: SessionEnded, log: bytes, store: Store) -> ActionResult | Failure:
    if ended.failure is not None:
        return timed_out(step, ended.failure) if ended.failure.category == "timeout" else ended.failure
    try:
        with opened_folder(directory) as opened:
            return _captured(step, opened, ended, log, store)
    except RemainsRefused as error:
        return Failure(category="executor", message=f"step {step.name}: {error}", cause=last_lines(log))


def _captured(step: Step, directory: int, ended: SessionEnded, log: bytes, store: Store) -> ActionResult | Failure:
    try:
        result = decode_document(read_file(directory, RESULT, RESULT_LARGEST))
    except FileNotFoundError:
        end = last_lines(log)
        return out_of_memory(step, ended, None, end) if ended.oom_kills else crashed(step, ended, end)
    except ProtocolError as error:
        return Failure(category="executor", message=f"{step.executor} wrote an unreadable result: {error}")
    if not isinstance(result, StepResult) or result.step != step.name:
        return Failure(
            category="executor", message=f"{step.executor} wrote the result of another step than {step.name}"
        )
    failure = bounded_failure(result.failure) if result.failure is not None else None
    if failure is not None and ended.oom_kills:
        return out_of_memory(step, ended, failure, ())
    return failure or capture_outputs(step, directory, result, log, store)
