"""How things are measured: whole commands, several times, side by side in one run; medians and ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; `ratio` is to the row named `against`, measured in the same run."""

    group: str
    what: str
    value: float  # median
    unit: str
    runs: int
    goal: str = ""
    against: str = ""
    ratio: float | None = None

    def as_dict(self) -> dict[str, object]:
        """For the JSON file; what is not known is absent."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@dataclass(frozen=True)
class After:
    """An action that needs something done before it, which is not measured: to remove files can take long."""

    before: Callable[[], object]
    action: Callable[[], object]

    def __call__(self) -> object:
        """The action alone."""
        return self.action()


def medians(actions: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median seconds of each, taken in turns, so that a slow minute of the machine is everybody's."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            if isinstance(action, After):
                action.before()
            taken[name].append(seconds(action))
    return {name: statistics.median(values) for name, values in taken.items()}


def call(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a command; its output is shown only when it fails. Raises CalledProcessError."""
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            said.seek(0)
            print(said.read().decode("utf-8", "replace")[-4000:])
            raise subprocess.CalledProcessError(done.returncode, command)


def peak_mib(command: Sequence[str | Path], env: Mapping[str, str]) -> tuple[float, float]:
    """The most resident memory of the command's own process, in MiB, without its children; and its seconds."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return usage.ru_maxrss / 1024, time.perf_counter() - began


def markdown(rows: Sequence[Row], machine: str) -> str:
    """The table."""
    lines = [machine, "", "| what | median | runs | ratio | goal |", "|---|---|---|---|---|"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** | | | | |")
        ratio = "" if row.ratio is None else f"{row.ratio:.3f} x {row.against}"
        lines.append(f"| {row.what} | {row.value:.4g} {row.unit} | {row.runs} | {ratio} | {row.goal} |")
    return "\n".join(lines) + "\n"
