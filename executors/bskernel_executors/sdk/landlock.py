"""Landlock: a process gives up rights to files, TCP and signals, for itself and all that it starts. Linux only.

Constants and rules: include/uapi/linux/landlock.h and Documentation/userspace-api/landlock.rst of Linux 6.15. Rights
that a version (ABI) of Landlock does not know cannot be given up there.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import NamedTuple

from bskernel_executors.sdk.libc import prctl, syscall

# System calls have the same numbers on all of Linux's architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in range(13, 16))
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = WRITE_FILE | TRUNCATE
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract sockets and signals stay inside
SCOPES_SIGNALS = 6  # the first version that does


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _syscall(number: int, *arguments: object) -> int:
    result = int(syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def landlock_version() -> int:
    """Return the version (ABI) of Landlock that this process can use; 0 if the system has none or refuses it."""
    try:
        return _syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def file_rights(version: int) -> int:
    """All rights to files that this version of Landlock knows."""
    newest = 13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16
    return (1 << newest) - 1


def forbid_new_privileges() -> None:
    """Let no program that this process starts gain privileges. Raises OSError."""
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class OpenedPlace(NamedTuple):
    """An open file or folder, and the rights to it that its kind can have."""

    fd: int
    rights: int


def open_place(path: str, rights: int) -> OpenedPlace | None:
    """Open what rights are to be allowed to; None if it does not exist. The caller closes it."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
    return OpenedPlace(fd, rights if is_folder else rights & _OF_FILES)


class Ruleset:
    """Gives up all rights to files but those allowed, and TCP too unless `tcp`, once it is enforced.

    Needs `version` 1 or higher. Raises OSError, here and in its methods.
    """

    def __init__(self, version: int, *, tcp: bool) -> None:
        self._known = file_rights(version)
        attributes = _RulesetAttributes(
            files=self._known,
            net=_TCP if version >= 4 and not tcp else 0,
            scoped=_SCOPES if version >= SCOPES_SIGNALS else 0,
        )
        # An older system takes a structure that is longer than its own if the rest is zero.
        self._fd = _syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)

    def allow(self, path: str, rights: int) -> None:
        """Allow `rights` to a file, or to a folder and all beneath it; nothing if it does not exist."""
        opened = open_place(path, rights)
        if opened is not None:
            try:
                self.allow_opened(opened)
            finally:
                os.close(opened.fd)

    def allow_opened(self, place: OpenedPlace) -> None:
        """Allow the rights to a place that is open."""
        rule = _PathBeneath(allowed=place.rights & self._known, parent_fd=place.fd)
        _syscall(_ADD_RULE, self._fd, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)

    def enforce(self) -> None:
        """Restrict this process and what it starts. New privileges must be forbidden."""
        _syscall(_RESTRICT_SELF, self._fd, 0)
        os.close(self._fd)
