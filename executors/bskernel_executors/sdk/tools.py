"""Run external tools from an entry."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bskernel_executors.sdk.step import StepFailure

_SHOWN = 8  # error lines that a failure shows
_LIBUDEV = ("/usr/lib/x86_64-linux-gnu/libudev.so.1", "/usr/lib64/libudev.so.1")


def module_command(module: str) -> list[str]:
    """Return the command that runs a module of the executor's sources, which PYTHONPATH may not be able to name."""
    start = (
        f"import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module({module!r}, run_name='__main__')"
    )
    return [sys.executable, "-P", "-c", start, str(Path(__file__).resolve().parents[2])]


def preload_libudev(libraries: Sequence[str] = _LIBUDEV) -> dict[str, str]:
    """Return the environment variable that preloads libudev, or nothing where it is not installed.

    Without libudev, the licence manager of AMD's tools can crash in a container.
    """
    found = next((path for path in libraries if Path(path).exists()), None)
    return {"LD_PRELOAD": found} if found is not None else {}


def run_tool(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], failed: str, error: str = "error") -> None:
    """Run a tool to its end and print its output, standard error last, into the step's log.

    `failed` begins the message of a failure; `error` is a regular expression (case-insensitive) for its error lines.
    Raises StepFailure if the exit code is not 0: `failed` and the first error line, with more of them as the cause.
    """
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    output = result.stdout + result.stderr
    print(output)
    if result.returncode:
        lines = [line for line in output.splitlines() if re.search(error, line, re.IGNORECASE)]
        raise StepFailure(
            message=f"{failed}: {lines[0] if lines else 'see the log'}",
            cause=tuple(lines[:_SHOWN]),
        )
