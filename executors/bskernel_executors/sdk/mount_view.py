"""A view of the machine's files in which all but a step's own folder is read-only, where the system allows one.

Landlock does not keep a process from changing modes, times and attributes of files that its user owns; a read-only
mount does. A user who is not root needs a namespace of users for it, which some systems refuse, as containers do.
mount_setattr: Linux 5.12, include/uapi/linux/mount.h.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from bskernel_executors.sdk.libc import mount, syscall, unshare

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 0x2, 0x4, 0x1000, 0x4000, 0x80000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_READ_ONLY, _NO_SET_USER_ID, _NO_DEVICES = 0x1, 0x2, 0x4


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "namespace"))


def _check(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _set(path: str, *, on: int = 0, off: int = 0, below: bool = False) -> None:
    attributes = _MountAttributes(set=on, clear=off)
    flags, size = _AT_RECURSIVE if below else 0, ctypes.sizeof(attributes)
    _check(syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, ctypes.byref(attributes), size))


def _enter() -> None:
    user, group = os.getuid(), os.getgid()
    if user == 0:
        _check(unshare(_CLONE_NEWNS))
        return
    _check(unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
    process = Path("/proc/self")
    # As bytes: the user may no longer be able to read what Python loads for an encoding.
    (process / "setgroups").write_bytes(b"deny")
    (process / "uid_map").write_bytes(b"%d %d 1" % (user, user))
    (process / "gid_map").write_bytes(b"%d %d 1" % (group, group))


def enter_view(writable: Iterable[str] = (), private: Iterable[str] = ()) -> bool:
    """Make all files read-only for this process and what it starts, but for these folders; False where refused.

    The `private` ones are empty and writable, and end with the last of these processes. The process must have one
    thread. It may hold new capabilities afterwards, which it should give up in the end.
    """
    try:
        _enter()
        # What the user unmounts must not stay in use here.
        _check(mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))
        folders = {path: False for path in writable if Path(path).is_dir()}
        folders |= {path: True for path in private if Path(path).is_dir()}
        for path, is_private in folders.items():
            place = os.fsencode(path)
            if is_private:
                _check(mount(b"tmpfs", place, b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=1777"))
            else:
                _check(mount(place, place, None, _MS_BIND | _MS_REC, None))
        _set("/", on=_READ_ONLY, below=True)
        for path in folders:
            _set(path, off=_READ_ONLY)
    except OSError:
        return False
    return True


def make_writable(folder: str) -> None:
    """Make a folder of the view writable. Set-user-id bits have no effect in it. Raises OSError."""
    _check(mount(os.fsencode(folder), os.fsencode(folder), None, _MS_BIND, None))
    _set(folder, on=_NO_SET_USER_ID | _NO_DEVICES, off=_READ_ONLY)
