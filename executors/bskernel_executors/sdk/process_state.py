"""What a step may leave in its process for the next one: nothing that decides what that one does.

Of an executor that declares `reuses_processes`, a process may run several steps. Between two of them, what every
program can change is put back. A process that cannot be as it was before ends, and another runs the next step.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import warnings
from typing import Any

_MOST_KEPT = 256 << 10  # KiB of memory that a process may have more than before its first step
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1)
_RESET_PEAK = b"5"  # Documentation/filesystems/proc.rst, clear_refs
_PAGE_KIB = os.sysconf("SC_PAGESIZE") >> 10


class PeakMemory:
    """The most memory that this process had at a time, for each of its steps."""

    def __init__(self) -> None:
        """Open what resets it, before all files are read-only for this process."""
        try:
            self._reset: int | None = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self._reset = None
        self._is_known = True

    def take(self) -> bytes:
        """The peak since the last call in MiB, as text; nothing if the system does not say it."""
        told = b"%d" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) if self._is_known else b"-"
        try:
            self._is_known = self._reset is not None and os.write(self._reset, _RESET_PEAK) == 1
        except OSError:
            self._is_known = False
        return told


class ProcessState:
    """The state of this process before its first step."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = os.getcwd()  # noqa: PTH109 - the text is all that is needed
        self._path, self._arguments = list(sys.path), list(sys.argv)
        self._recursion = sys.getrecursionlimit()
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._filters = list(warnings.filters)
        self._log = (logging.root.level, list(logging.root.handlers), logging.root.manager.disable)
        self._numpy = _numpy_options()
        self._torch = "torch" in sys.modules
        self._files = _open_files()
        self._memory = _memory_kib()

    def restore(self) -> bool:
        """Put back what a step has changed; False if this process must end, because something of the step goes on."""
        if self._holds_more():
            return False
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        os.chdir(self._folder)
        os.umask(0o077)
        sys.path[:], sys.argv[:] = self._path, self._arguments
        sys.setrecursionlimit(self._recursion)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        warnings.filters[:] = self._filters  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]  # what was said once is said again
        logging.root.setLevel(self._log[0])
        logging.root.handlers[:] = self._log[1]
        logging.root.manager.disable = self._log[2]
        _restore_numpy(self._numpy)
        return True

    def _holds_more(self) -> bool:
        """Does it have threads, processes, open files or memory that it had not? Or a generator that nobody seeds?"""
        return (
            len(os.listdir("/proc/self/task")) > 1  # noqa: PTH208 - names are enough
            or _has_started_processes()
            or _open_files() != self._files
            or _memory_kib() > self._memory + _MOST_KEPT
            or ("torch" in sys.modules) is not self._torch
        )


def _has_started_processes() -> bool:
    """Whether this process has children, or had any: the peak of their memory cannot be reset."""
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss:
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _open_files() -> list[str]:
    return os.listdir("/proc/self/fd")  # noqa: PTH208 - names are enough


def _memory_kib() -> int:
    file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(file, 100).split()[1]) * _PAGE_KIB
    finally:
        os.close(file)


def _numpy_options() -> tuple[dict[str, Any], dict[str, Any]] | None:
    numpy = sys.modules.get("numpy")
    return (numpy.geterr(), numpy.get_printoptions()) if numpy is not None else None


def _restore_numpy(options: tuple[dict[str, Any], dict[str, Any]] | None) -> None:
    numpy = sys.modules.get("numpy")
    if numpy is not None and options is not None:
        numpy.seterr(**options[0])
        if numpy.get_printoptions() != options[1]:
            numpy.set_printoptions(**options[1])
