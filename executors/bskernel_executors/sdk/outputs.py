"""Check that a step's outputs are as declared and contain no path of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

from bskernel_protocol import Failure, OutputDescription
from bskernel_protocol.plain_file import NotPlainError, kind_of, open_plain

_CHUNK = 1 << 20  # bytes
_DEEPEST = 64  # folders inside one another; the kernel takes no more
_ANY_SIZE = 1 << 62


def _violation(message: str, hint: str | None = None, cause: tuple[str, ...] = ()) -> Failure:
    return Failure(category="executor", message=message, hint=hint, cause=cause)


def _shown(path: str, out: str) -> str:
    name = os.fsencode(os.path.relpath(path, out)).decode("utf-8", "backslashreplace")
    return "out/" + "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


def _walk(root: str) -> Iterator[tuple[str, int]]:
    """What lies below `root`, but folders, with its depth; of folders that are too deep, the first one too."""
    pending = [(root, 0, True)]
    while pending:
        path, depth, is_folder = pending.pop()
        if not is_folder or depth > _DEEPEST:
            yield path, depth
            continue
        with os.scandir(path) as found:
            below = sorted(found, key=attrgetter("name"), reverse=True)
        pending += [(entry.path, depth + 1, entry.is_dir(follow_symlinks=False)) for entry in below]


def check_outputs(folder: Path, declared: Iterable[OutputDescription], forbidden: Iterable[Path]) -> Failure | None:
    """Return the first violation among the outputs in `folder`, or None.

    `forbidden` are folders whose paths must not occur in any file, because they mean nothing on another machine.
    """
    out = str(folder)  # a step waits for this: paths as text take half the time of pathlib's
    known = {output.name: output for output in declared}
    with os.scandir(out) as found:
        written = {entry.name: entry for entry in sorted(found, key=attrgetter("name"))}
    for name, entry in written.items():
        output = known.get(name)
        if output is None:
            return _violation(
                f"the step wrote the output {_shown(entry.path, out)[4:]!r}, which its entry does not declare",
                f"declared outputs: {', '.join(sorted(known)) or 'none'}",
            )
        if entry.is_symlink() or (output.kind == "file") != entry.is_file():
            return _violation(f"the output {name!r} is not a {output.kind}, as its entry declares")
    missing = [name for name, output in known.items() if output.required and name not in written]
    if missing:
        return _violation(f"the step wrote no output {missing[0]!r}, which its entry declares")
    needles = [os.fsencode(path) for path in forbidden]
    for path, depth in _walk(out):
        if depth > _DEEPEST:
            return _violation(f"{_shown(path, out)[:200]} lies more than {_DEEPEST} folders deep")
        failure = _check_file(path, out, needles)
        if failure is not None:
            return failure
    return None


def _check_file(path: str, out: str, needles: list[bytes]) -> Failure | None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        if not Path(path).resolve().is_relative_to(Path(out).resolve()):
            return _violation(f"{_shown(path, out)} links to {Path(path).readlink()}, outside its output")
        return None
    if not stat.S_ISREG(mode):
        return _violation(f"{_shown(path, out)} is {kind_of(mode)}, not a plain file")
    try:
        excerpt = _find(path, needles)
    except (NotPlainError, OSError) as error:
        return _violation(f"{_shown(path, out)} cannot be read: {error}")
    if excerpt is None:
        return None
    return _violation(
        f"{_shown(path, out)} contains a path of this machine",
        "an artifact must not depend on where it was made; write paths relative to the output",
        (excerpt,),
    )


def _find(path: str, needles: list[bytes]) -> str | None:
    """The first of the texts in a file, with what surrounds it. Holes of the file are skipped."""
    file = open_plain(path, _ANY_SIZE)
    try:
        return _find_in(file, needles)
    finally:
        os.close(file)


def _find_in(file: int, needles: list[bytes]) -> str | None:
    overlap = max(map(len, needles)) + 40
    held = b""
    at = 0
    while (start := _next_data(file, at)) is not None:
        held = held if start == at else b""
        part = os.pread(file, _CHUNK, start)
        if not part:
            return None
        at = start + len(part)
        held += part
        for needle in needles:
            found = held.find(needle)
            if found >= 0:
                # What follows it may lie in the next part.
                held += os.pread(file, 60, at)
                return held[max(0, found - 40) : found + len(needle) + 60].decode("utf-8", "replace")
        held = held[-overlap:]
    return None


def _next_data(file: int, at: int) -> int | None:
    """Where the next data of a file are; None if there are none."""
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError:
        return at if at < os.fstat(file).st_size and not _tells_holes(file) else None


def _tells_holes(file: int) -> bool:
    try:
        os.lseek(file, 0, os.SEEK_HOLE)
    except OSError:
        return False
    return True
