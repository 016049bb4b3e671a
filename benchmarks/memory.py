"""What the processes of executors hold once they have imported their libraries."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bskernel.images.environment import cache_folder
from bskernel.workspace.workspace import Workspace
from ground import ROOT
from measurement import Row

EXECUTORS = ("finn-step", "qonnx-transform", "metrics", "rtl-sim", "yosys-synth")


def _processes(session: Path) -> list[int]:
    """The server, and the child that waits for a step: those whose working folder is the session's home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == session / "home":
                found.append(int(process.name))
    if not found:
        raise RuntimeError(f"no process serves {session}")
    return found


def _mebibytes(pid: int, key: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel does not tell {key}")


def executors(_: Path, __: int) -> list[Row]:
    """The part: each executor's default version, in the process runtime."""
    workspace = Workspace(ROOT, cache_folder())
    rows = []
    for name in EXECUTORS:
        info = workspace.executors.resolve(name, {}, "benchmarks")
        runtime = workspace.runtime("process", print)
        try:
            runtime.prepare(info.ref)
            session = runtime.open(info.ref)
            held = sum(_mebibytes(pid, "Pss") for pid in _processes(session.root.parent))
        finally:
            runtime.close()
        rows.append(Row(group="an executor that waits", what=str(info.ref), value=held, unit="MiB", runs=1))
    return rows
