"""Names of temporary files and folders: each holds the mark of the process that writes it.

So what a process leaves when it is killed can be told, at any time and by anybody, from what a living one writes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import time
from functools import cache
from pathlib import Path

from bskernel.host.process import boot, start_time

_MARK = re.compile(r"\.tmp-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})-([0-9]+)-([0-9]+)-[0-9a-f]+$")
_FOREIGN_S = 86_400.0  # what a process elsewhere wrote counts as left after a day


@cache
def _place() -> tuple[str, str, str]:
    """This machine, this boot of it, and the namespace in which its processes are numbered."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path
    except OSError:
        namespace = ""
    return _short(platform.node()), _short(boot()), _short(namespace)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@cache
def _prefix(pid: int) -> str:
    return f".tmp-{'-'.join(_place())}-{pid}-{start_time(pid)}-"


def mark() -> str:
    """A suffix for the name of a temporary file or folder of this process, never the same twice."""
    return _prefix(os.getpid()) + os.urandom(6).hex()


def is_left(path: Path) -> bool:
    """True when the name holds a mark whose process has ended; False for any other name."""
    found = _MARK.search(path.name)
    if found is None:
        return False
    machine, booted, namespace, pid, started = found.groups()
    here = _place()
    if (machine, booted, namespace) == here:
        return start_time(int(pid)) != started
    if machine == here[0] and booted != here[1]:
        return True  # nothing outlives a boot
    try:
        return path.lstat().st_mtime + _FOREIGN_S < time.time()
    except OSError:
        return False
