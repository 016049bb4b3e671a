"""What this machine is: operating system, C library, processors, memory, Python. The same in every call."""

from __future__ import annotations

import os
import platform
import sys

import msgspec


class SystemFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that a build ran on. It decides nothing: it is for whoever looks for the cause of a difference."""

    kernel: str
    machine: str
    os: str | None
    libc: str
    python: str
    processors: int
    memory_mib: int


def system_facts() -> SystemFacts:
    """Facts about this machine and this process."""
    try:
        named = platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        named = None
    system = os.uname()
    return SystemFacts(
        kernel=system.release,
        machine=system.machine,
        os=named,
        libc=os.confstr("CS_GNU_LIBC_VERSION") or "",
        python=".".join(map(str, sys.version_info[:3])),
        processors=len(os.sched_getaffinity(0)),
        memory_mib=(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) >> 20,
    )
