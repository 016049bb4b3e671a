"""Copies files with holes: a hole costs neither disk space nor reading."""

from __future__ import annotations

import errno
import hashlib
import os

from bskernel_protocol import Digest

_CHUNK = 1 << 20  # bytes


def copy_extents(source: int, target: int, size: int) -> Digest:
    """Copy the first `size` bytes of a file, in the order of the file, to an empty one; returns what was copied.

    Holes are hashed as the zeros that they read as, and stay holes. A file that is cut meanwhile is copied as far as
    it goes.
    """
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    zeros = bytes(_CHUNK)
    at = 0
    while at < size:
        data = _next_data(source, at, size)
        while at < data:
            count = min(_CHUNK, data - at)
            hasher.update(zeros[:count])
            at += count
        end = min(size, _next_hole(source, at, size))
        while at < end:
            count = os.preadv(source, [buffer[: min(_CHUNK, end - at)]], at)
            if count == 0:
                size = end = at
                break
            part = buffer[:count]
            hasher.update(part)
            _write(target, part, at)
            at += count
    os.ftruncate(target, at)
    return Digest(sha256=hasher.hexdigest(), size=at)


def _next_data(file: int, at: int, size: int) -> int:
    try:
        return min(size, os.lseek(file, at, os.SEEK_DATA))
    except OSError as error:
        # ENXIO: only a hole is left, or the file ends here by now.
        return min(size, max(at, os.fstat(file).st_size)) if error.errno == errno.ENXIO else at


def _next_hole(file: int, at: int, size: int) -> int:
    if at >= size:
        return size
    try:
        return os.lseek(file, at, os.SEEK_HOLE)
    except OSError:
        return size


def _write(file: int, data: memoryview, at: int) -> None:
    while data:
        count = os.pwrite(file, data, at)
        data, at = data[count:], at + count
