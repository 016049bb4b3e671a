"""Run Vivado in batch mode. A failed run is reported with the first real error in its log."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports import ToolLog, describe_failure, find_wrong_design, read_log

_LOG, _SCRIPT = "vivado.log", "run.tcl"
_OUTPUT_WAIT_S = 2.0  # helpers that outlive Vivado may hold its output open


def run_vivado(
    folder: Path, tcl: str, *, identity: str, outputs: tuple[str, ...], report: Callable[[str], None]
) -> None:
    """Run a script in `folder`. What Vivado prints goes to the step's log at once, and each command to `report`.

    Raises StepFailure with the first real error; `synthesis` when one of the `outputs` is missing afterwards;
    `environment` when Vivado's version is not the one in `identity`.
    """
    (folder / _SCRIPT).write_text(tcl, encoding="utf-8")
    command = ["vivado", "-mode", "batch", "-nojournal", "-log", _LOG, "-source", _SCRIPT]
    child = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **preload_libudev()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: list[str] = []

    def relay() -> None:
        for line in child.stdout or ():
            lines.append(line)
            print(line, end="", flush=True)
            if line.startswith("Command: "):
                report(line.split()[1])

    reader = threading.Thread(target=relay, daemon=True)
    reader.start()
    code = child.wait()
    reader.join(_OUTPUT_WAIT_S)
    log = read_log("".join(lines))
    _check_version(log, identity)
    if code != 0:
        raise describe_failure(code, log, "Vivado")
    missing = [name for name in outputs if not (folder / name).is_file()]
    if missing:
        raise StepFailure(
            category="synthesis",
            message=f"Vivado exited successfully but did not write {missing[0]}",
            hint="see what it did in the step's log",
        )
    wrong = find_wrong_design(log)
    if wrong is not None:
        raise StepFailure(message=f"Vivado did not synthesise the design that it was given: {wrong.text}")


def _check_version(log: ToolLog, identity: str) -> None:
    """Raise StepFailure unless the identified Vivado ran: PATH may lead to another one."""
    if log.version is not None and f" {log.version} " not in f" {identity} ":
        raise StepFailure(
            category="environment",
            message=f"Vivado {log.version} ran instead of {identity.rpartition(' ')[0]}",
            hint="check whether a script of the installation starts another version",
        )
