"""What confines the steps of this machine besides containers. The executor's sdk applies it; this says it."""

from __future__ import annotations

import ctypes

# Linux, Documentation/userspace-api/landlock.rst: asked for its version, it makes nothing.
_LANDLOCK_CREATE_RULESET, _VERSION = 444, 1
_TCP, _SIGNALS = 4, 6  # the versions (ABI) that confine these too


def landlock_version() -> int:
    """Return the version (ABI) of this system's Landlock; 0 without it."""
    return max(0, int(ctypes.CDLL(None).syscall(ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, 0, _VERSION)))


def describe_confinement(version: int) -> str:
    """Say what this version of Landlock keeps a step from, in either runtime."""
    if version == 0:
        return "no Landlock: in the process runtime a step can read and write all of your files"
    lacking = [
        *(["TCP of steps with tools"] if version < _TCP else []),
        *(["signals between steps"] if version < _SIGNALS else []),
    ]
    return f"Landlock (ABI {version}) and seccomp" + (f", but not for {' and '.join(lacking)}" if lacking else "")


def process_warning(version: int) -> str:
    """Say what the process runtime does not promise."""
    held = "Landlock confines each step to its folder" if version else "nothing confines a step to its folder"
    return (
        f"steps run as you, on this machine, not in containers: {held} (docs/security.md says what is not prevented)"
    )
