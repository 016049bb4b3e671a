"""Tools that an entry runs as programs of their own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bskernel_executors.sdk.step import StepFailure

_SHOWN = 8
_LIBUDEV = ("/usr/lib/x86_64-linux-gnu/libudev.so.1", "/usr/lib64/libudev.so.1")


def preloaded(libraries: Sequence[str] = _LIBUDEV) -> dict[str, str]:
    """What AMD's tools need to be loaded first: without libudev their licence manager may crash in a container."""
    found = next((path for path in libraries if Path(path).exists()), None)
    return {"LD_PRELOAD": found} if found is not None else {}


def run_tool(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], failed: str, error: str = "error") -> None:
    """Run a tool; what it says goes to the step's log.

    Raises StepFailure when it fails: `failed`, and the first lines in which the pattern `error` occurs.
    """
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    print(said)
    if done.returncode:
        lines = [line for line in said.splitlines() if re.search(error, line, re.IGNORECASE)]
        raise StepFailure(
            message=f"{failed}: {lines[0] if lines else 'see the log'}",
            cause=tuple(lines[:_SHOWN]),
        )
