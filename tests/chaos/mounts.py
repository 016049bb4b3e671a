"""Small file systems of the campaign's own, in a mount namespace that ends with it."""

import contextlib
import ctypes
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from chaos.kind import Unable

_CLONE_NEWNS = 0x00020000
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def enter_namespace() -> None:
    """Give this process mounts of its own. Raises Unable where the system does not allow it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise Unable(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")
    _call("mount", "--make-rprivate", "/")


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unable(f"{' '.join(command)}: {done.stderr.strip()}")


def mount_memory(folder: Path, size: int) -> None:
    """A file system of `size` bytes in memory."""
    enter_namespace()
    folder.mkdir(parents=True, exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder))


def resize(folder: Path, size: int) -> None:
    """Change the size of one."""
    _call("mount", "-o", f"remount,size={size}", str(folder))


def mount_read_only(folder: Path) -> None:
    """Make a folder read-only, also for root."""
    enter_namespace()
    _call("mount", "--bind", str(folder), str(folder))
    _call("mount", "-o", "remount,bind,ro", str(folder))


def unmount(folder: Path) -> None:
    """Take the mount away again, even if something still uses it."""
    _call("umount", "-l", str(folder))


@contextlib.contextmanager
def another_boot(file: Path, name: str) -> Iterator[None]:
    """Have programs believe that the machine has started again: `name` is the identity of the boot."""
    enter_namespace()
    file.write_text(f"{name}\n")
    _call("mount", "--bind", str(file), str(_BOOT))
    try:
        yield
    finally:
        unmount(_BOOT)


def unmount_below(folder: Path) -> None:
    """Take away what something has mounted below a folder."""
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in places:
        if place.startswith(f"{folder}/"):
            unmount(Path(place))
