"""Standard input, output and error as bskernel uses them, whatever the caller made of them.

Output that cannot be written ends the command, at the first byte that is lost. What cannot be written to standard
error is left out: a build does not end because nobody reads its progress.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from bskernel.core.errors import EXIT_ENVIRONMENT, BskernelError

TYPE_CHECKING = False  # as in bskernel: `typing` takes as long to import as all else that a cached build does
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_READER_GONE = 128 + 13  # as shells report a program that SIGPIPE ended


class OutputLost(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """Standard output cannot be written."""

    exit_code = EXIT_ENVIRONMENT


class ReaderGone(OutputLost):
    """Who read standard output has ended, as `head -1` does: no error that anybody wants to read."""

    exit_code = _READER_GONE


class _PatientStream(io.FileIO):
    """Waits for a reader who is slow, even where the caller made the descriptor non-blocking."""

    copy: bytearray | None = None  # of what is written, while `copy_output` wants it

    def write(self, data: object, /) -> int:
        while True:
            try:
                count: int | None = super().write(data)  # type: ignore[arg-type]
            except OSError as error:
                return self.fail(error, len(memoryview(data)))  # type: ignore[arg-type]
            if count is not None:
                if self.copy is not None:
                    self.copy += memoryview(data)[:count]  # type: ignore[arg-type]
                return count
            import select

            select.select([], [self.fileno()], [])

    def fail(self, error: OSError, size: int) -> int:  # noqa: ARG002 - another stream goes on
        """Raise OutputLost."""
        if error.errno == errno.EPIPE:
            raise ReaderGone("the reader of standard output has ended")
        hint = "redirect it to a file on a disk with space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
        raise OutputLost(f"standard output cannot be written: {error.strerror}", hint=hint)


class _Remarks(_PatientStream):
    """Standard error."""

    def fail(self, error: OSError, size: int) -> int:  # noqa: ARG002 - nobody can be told
        """Count the bytes as written."""
        return size


def open_streams() -> None:
    """Make sys.stdin, sys.stdout and sys.stderr usable.

    A descriptor that the caller closed is opened on /dev/null, so that no file of a build gets its number; reading
    finds nothing, and writing to standard output fails.
    """
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        _occupy(number)
    if 0 in closed or sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = _text(_PatientStream(1, "w", closefd=False), sys.stdout, "strict")
    sys.stderr = _text(_Remarks(2, "w", closefd=False), sys.stderr, "backslashreplace")


def copy_output() -> Callable[[], tuple[bytes, bytes]]:
    """Keep a copy of what is written from now on; the function that is returned ends that, and returns the copies.

    They are those of standard output and of standard error, whose streams `open_streams` has made.
    """
    streams = [stream.buffer.raw for stream in (sys.stdout, sys.stderr)]  # type: ignore[union-attr]
    for stream in streams:
        stream.copy = bytearray()

    def end() -> tuple[bytes, bytes]:
        sys.stdout.flush()
        sys.stderr.flush()
        output, errors = (bytes(stream.copy) for stream in streams)
        for stream in streams:
            stream.copy = None
        return output, errors

    return end


def discard_output() -> None:
    """Forget what standard output still holds: it cannot be written."""
    sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _occupy(number: int) -> None:
    # Standard output for reading alone: what is written to it is lost, and must not count as written.
    opened = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _text(raw: io.FileIO, given: TextIO | None, errors: str) -> io.TextIOWrapper:
    """A text stream like the one that Python made of the descriptor, if it made one."""
    lines = raw.isatty() or isinstance(raw, _Remarks)
    encoding, given_errors = (given.encoding, given.errors) if given is not None else ("utf-8", errors)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=given_errors, line_buffering=lines)
