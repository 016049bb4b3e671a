"""Records a build that recalled every step, so that the next one can be told from the record (`unchanged_build`).

What a build looks at is heard from Python's audit events: each file that is opened, each folder that is listed, and
what only its `stat` is asked of, which the modules that ask announce as `bskernel.looked`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.cli.ci_service import takes_annotations
from bskernel.cli.standard_streams import copy_output
from bskernel.cli.unchanged_build import (
    CLOSED,
    HUMANE,
    LOG,
    PLAIN,
    RESULT,
    REWRITTEN,
    TIME,
    WRITTEN,
    encoded,
    found,
    given,
    identity,
    is_idle,
    place,
    sha256,
)
from bskernel.core.observers import SilentObserver

if TYPE_CHECKING:
    from bskernel.cli.options import RunSelection
    from bskernel.core.observers import Observer
    from bskernel.core.step import Step
    from bskernel.result.build_result import BuildResult
    from bskernel.workspace.workspace import PreparedBuild, Workspace

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_RACY_NS = 2_000_000_000  # as in store.file_digests: a later change within the same tick looks the same
_TICK_NS = 100_000_000  # the same where a file system counts nanoseconds, for what bskernel itself writes
_USE_S = 86_400  # how old the noted use of a result may be, as in store.disk
_MOST_FILES = 20_000  # in a record
_MOST_RECORDS = 64
_SYSTEM = ("/proc/", "/dev/", "/sys/")  # the same in one boot, or among the surroundings


def trace(running: RunSelection, *others: object) -> BuildTrace | None:
    """Begin to trace a build that may come to be recorded; none with options (`others`) that ask for more."""
    asks = (running.fresh, running.keep_s, running.cluster, running.verbose, *others)
    return BuildTrace(quiet=running.quiet) if given() is not None and not any(asks) else None


class _EndOfTrace(SilentObserver):
    """Calls `end` when a step runs."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def running(self, step: Step) -> None:  # noqa: ARG002 - whichever it is
        """A worker runs the step."""
        self._end()


class BuildTrace:
    """Hears what a build looks at and prints, from its beginning."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._began_ns = time.time_ns()
        self._seen: dict[str, bytes] = {}  # path -> what its `stat` told when it was first looked at
        self._unclear = False
        self._hears = True
        self._copy = copy_output()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._hears:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = flags & _WRITES or (isinstance(mode, str) and not {*"wax+"}.isdisjoint(mode))
            if not writes and not isinstance(path, int):
                self._see(path)
        elif event in {"os.listdir", "os.scandir", "bskernel.looked"}:
            if isinstance(arguments[0], int):
                self._unclear = True  # an open folder has no path here
            else:
                self._see(arguments[0] or ".")

    def _see(self, path: Any) -> None:
        with contextlib.suppress(OSError, TypeError, ValueError):
            name = os.fsdecode(path)
            if not name.endswith((".pyc", ".so")) and (known := os.path.abspath(name)) not in self._seen:
                self._seen[known] = found(known, os.stat, identity)
        self._hears = len(self._seen) <= _MOST_FILES

    def until_a_step_runs(self) -> Observer:
        """An observer that ends the trace when a step runs: such a build is not recorded."""
        return _EndOfTrace(self._end)

    def _end(self) -> None:
        self._hears = False

    def record(self, workspace: Workspace, prepared: PreparedBuild, result: BuildResult, config: Path) -> None:
        """Record the build if it would do the same again as long as nothing changes."""
        complete, self._hears = self._hears and not self._unclear, False
        known = given()
        with contextlib.suppress(OSError, ValueError, LookupError):
            stdout, stderr = self._copy()
            if known is None or not complete or not _is_repeatable(workspace, prepared, result):
                return
            surroundings, path = known
            if Path(path).parent.parent != workspace.cache or not is_idle(str(workspace.cache)):
                return
            output = prepared.output
            head = {
                "surroundings": surroundings,
                "output": os.fsencode(output),
                "names": os.fsencode("/".join(sorted(os.listdir(output)))),
                "stderr": stderr,
                **({"stdout": stdout, "stdout_end": b"", "time": b""} if self._quiet else _printed(stdout, result)),
                **_fields(output, result),
            }
            files = self._files(workspace.cache, output, config)
            own = [name for name in _inside(output) if name not in {f"{output}/{one}" for one in REWRITTEN}]
            groups = [_told(files, os.stat, identity), _told(own, os.lstat, identity)]
            groups.append(_told(_above(prepared), os.lstat, place))
            settled = self._is_settled(workspace.cache, output, groups[0])
            if settled and self._is_settled(output, output, groups[1]) and self._is_as_seen(groups[0]):
                counts = zip(("files", "own_files", "folders"), (b"%d" % len(group) for group in groups), strict=True)
                until = b"%d" % (_oldest_use(workspace.cache, files) + _USE_S)
                pairs = [part for group in groups for pair in group for part in pair]
                _save(Path(path), encoded({**head, **dict(counts), "until": until}, pairs))

    def _files(self, cache: Path, output: Path, config: Path) -> list[str]:
        """What was looked at, and bskernel's own modules."""
        modules = {file for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None))}
        standard = os.path.dirname(os.__file__)
        own = {file for file in modules if not file.startswith(standard) or "site-packages" in file}
        files = self._seen.keys() | own | {os.path.abspath(config), sys.executable}
        folders = {str(folder) for folder in (output, *output.parents)}
        # The index of files only says what their `stat` says too.
        files -= folders | {str(cache), str(cache / "files.msgpack")}
        return sorted(file for file in files if not file.startswith((f"{output}/", *_SYSTEM)))

    def _is_as_seen(self, told: Iterable[tuple[bytes, bytes]]) -> bool:
        """False if a path leads elsewhere than when it was first looked at.

        Links and folders can be put in the place of others without a trace in the times of what is below.
        """
        return all(self._seen.get(os.fsdecode(path), known) == known for path, known in told)

    def _is_settled(self, cache: Path, output: Path, told: Iterable[tuple[bytes, bytes]]) -> bool:
        """False if something changed so shortly before the build that a change during it could look the same."""
        for path, known in told:
            if not known:
                continue
            times = [int(field) for field in known.split()[2:4]]
            kept = path.startswith((os.fsencode(f"{cache}/"), os.fsencode(f"{output}/"))) and times[1] % 10**9
            if max(times[1], times[0]) + (_TICK_NS if kept else _RACY_NS) > self._began_ns:
                return False
        return True


def _is_repeatable(workspace: Workspace, prepared: PreparedBuild, result: BuildResult) -> bool:
    """True for a build on which nothing has a bearing but files and its surroundings, and which ran nothing."""
    steps = prepared.plan.steps
    return (
        result.status == "ok"
        and result.runtime == "none"
        and all(step.status == "recalled" and not step.items for step in result.steps)
        and prepared.backend is None
        and not prepared.loaded.config.tools
        and not any(step.needs or step.tool_versions for step in steps)
        and workspace.shared_store(prepared.loaded) is None
        and not workspace.store.generation.is_unsynced
        and not (prepared.output / "inputs").is_dir()
        and prepared.loaded.path.suffix != ".json"  # a build directory's own
        and not takes_annotations()
    )


def _printed(stdout: bytes, result: BuildResult) -> dict[str, bytes]:
    """What was printed before and after the time that the build took, and how that time was written."""
    from bskernel.report.human_units import time_text

    before = b"recalled, "
    if (plain := b"%s%.2f s" % (before, result.seconds)) in stdout:
        return {**_cut("stdout", stdout, plain, len(before), 0), "time": PLAIN}
    return {**_cut("stdout", stdout, before + time_text(result.seconds).encode(), len(before), 0), "time": HUMANE}


def _fields(output: Path, result: BuildResult) -> dict[str, bytes]:
    """What the files of the build hold, apart from times and what follows from them."""
    import msgspec
    from bskernel_protocol import pretty_json

    from bskernel.store.seal import unseal

    if pretty_json(result).encode() != (data := (output / RESULT).read_bytes()):
        raise ValueError("result.json is not this result")
    log = (output / LOG).read_bytes()
    written = unseal(WRITTEN, (output / WRITTEN).read_bytes())
    closed = unseal(CLOSED, (output / CLOSED).read_bytes())
    if written is None or closed is None:
        raise ValueError("damaged")
    steps = tuple(msgspec.structs.replace(step, seconds=0.0) for step in result.steps)
    text = pretty_json(msgspec.structs.replace(result, steps=steps)).encode()
    seconds = b'\n  "seconds": %s,\n' % repr(result.seconds).encode()
    return {
        **_cut("result", text, seconds, 14, 2),
        **_cut("written", written, sha256(data).encode(), 0, 0),
        **_cut("closed", closed, sha256(log).encode(), 0, 0),
        "log": _log_without_times(log),
    }


def _cut(name: str, data: bytes, part: bytes, before: int, after: int) -> dict[str, bytes]:
    """The data before and after `part`, of whose ends so many bytes stay. Raises ValueError if it is not unique."""
    if data.count(part) != 1:
        raise ValueError(f"{name}: {part!r} is not there once")
    at = data.index(part)
    return {name: data[: at + before], f"{name}_end": data[at + len(part) - after :]}


def _log_without_times(log: bytes) -> bytes:
    import msgspec

    from bskernel.report.log import serialize

    lines = []
    for line in log.splitlines():
        event: dict[str, Any] = msgspec.json.decode(line)
        if serialize(event).encode() != line:
            raise ValueError("not a line that a log has")
        event |= {"timestamp": "TIME"} | ({"seconds": 0.0} if "seconds" in event else {})
        lines.append(serialize(event).encode().replace(b'"timestamp":"TIME"', b'"timestamp":"%s"' % TIME) + b"\n")
    return b"".join(lines)


def _told(
    paths: Iterable[str], look: Callable[..., os.stat_result], tell: Callable[[os.stat_result], bytes]
) -> list[tuple[bytes, bytes]]:
    return [(name := os.fsencode(path), found(name, look, tell)) for path in paths]


def _inside(output: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(output):
        yield from (f"{folder}/{name}" for name in (*folders, *names))


def _above(prepared: PreparedBuild) -> list[str]:
    """The build directory and the folders that it is in, none of which may be a link from the project's folder on."""
    return [str(folder) for folder in (prepared.output, *prepared.output.parents)]


def _oldest_use(cache: Path, files: Iterable[str]) -> int:
    """When the result that was not used for longest was used, in seconds since the epoch."""
    return min(int(os.stat(file).st_mtime) for file in files if file.startswith(f"{cache}/actions/"))


def _save(path: Path, data: bytes) -> None:
    from bskernel.host.temporary import mark

    path.parent.mkdir(mode=0o700, exist_ok=True)
    records = sorted(path.parent.iterdir(), key=lambda record: record.stat().st_mtime)
    for record in records[: -(_MOST_RECORDS - 1)]:
        record.unlink(missing_ok=True)
    temporary = path.parent.parent / "incoming" / f"unchanged{mark()}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
