"""Measuring whole commands several times, side by side in one run: medians and ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_LOOKED_S = 0.02  # how often a command's memory is read


@dataclass(frozen=True)
class Goal:
    """A bound for a row's value or, without a unit, for its ratio."""

    bound: float
    unit: str = ""
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:g}{f' {self.unit}' if self.unit else ' x'}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; `ratio` is to the row named `against`, measured in the same run."""

    group: str
    what: str
    value: float  # median
    unit: str
    runs: int
    goal: Goal | None = None
    against: str = ""
    ratio: float | None = None
    beside: bool = False  # listed among the goals without one, to be read beside the next row
    bound: str = ""  # of a figure that misses its goal: the share of bare mechanisms, and which

    @property
    def met(self) -> bool | None:
        """Is the goal reached? None without a goal."""
        if self.goal is None:
            return None
        measured = self.value if self.goal.unit else self.ratio
        if measured is None:
            raise ValueError(f"{self.group}, {self.what}: a goal for a ratio that was not measured")
        return measured >= self.goal.bound if self.goal.at_least else measured <= self.goal.bound

    @property
    def shown_ratio(self) -> str:
        """The ratio in words."""
        return "" if self.ratio is None else f"{self.ratio:.3f} x {self.against}"

    @property
    def shown_goal(self) -> str:
        """The goal, and whether it is reached."""
        return "" if self.goal is None else f"{self.goal}, {'met' if self.met else 'not met'}"

    def as_dict(self) -> dict[str, object]:
        """For the JSON file; unknown values are absent."""
        values = asdict(self) | {"goal": self.goal and str(self.goal), "met": self.met}
        return {
            key: value
            for key, value in values.items()
            if value not in (None, "") and (value is not False or key == "met")
        }


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


@dataclass(frozen=True)
class SelfTimed:
    """An action that measures itself, as programs do whose start is no part of a figure; it may have several."""

    names: Sequence[str]
    action: Callable[[], Sequence[float]]

    def __call__(self) -> dict[str, float]:
        """The seconds of each of its figures, which stand in place of the action's own."""
        return dict(zip(self.names, self.action(), strict=True))


def turns(actions: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """The seconds of each, taken in turns, so that a slow minute of the machine is everybody's."""
    taken: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, action in actions.items():
            if isinstance(action, After):
                action.before()
            figures = action() if isinstance(action, SelfTimed) else {name: seconds(action)}
            for figure, value in figures.items():
                taken.setdefault(figure, []).append(value)
    return taken


def medians(actions: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median seconds of each, taken in turns."""
    return {name: statistics.median(values) for name, values in turns(actions, runs).items()}


def printed(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> list[float]:
    """The numbers of the last line that a command prints. Raises CalledProcessError."""
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-4000:])
        raise subprocess.CalledProcessError(done.returncode, command)
    return [float(part) for part in done.stdout.splitlines()[-1].split()]


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
    """The most resident memory of the command's own process, in MiB, without its children; and its seconds.

    It is read while the command runs: what the system tells of an ended process holds its children, and this one.
    """
    began, most = time.perf_counter(), 0
    child = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    status = Path("/proc", str(child.pid), "status")
    while child.poll() is None:
        lines = status.read_text(encoding="utf-8").splitlines()
        most = max(most, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
        time.sleep(_LOOKED_S)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return most / 1024, time.perf_counter() - began


def worsened(rows: Sequence[Row], before: Sequence[Mapping[str, Any]], most: float) -> dict[tuple[str, str], str]:
    """Each row whose ratio is more than `most` times the one of before: its group and name -> a line about it.

    Rows of before are as in results.json; those without a ratio, or that are not there, are compared with nothing.
    """
    known = {(row["group"], row["what"]): row["ratio"] for row in before if row.get("ratio")}
    found = {}
    for row in rows:
        was = known.get((row.group, row.what))
        if was is not None and row.ratio is not None and row.ratio > was * most:
            change = f"{row.shown_ratio}, {row.ratio / was - 1:+.0%}; it was {was:.3f} x"
            found[row.group, row.what] = f"{row.group}: {row.what}: {change}"
    return found


def same_machine(one: str, other: str) -> bool:
    """True if two descriptions of machines name as many processors, of one kind, and one Python."""

    def kind(text: str) -> list[str]:
        parts = [part.strip() for part in text.split(",")]
        return [part for part in parts if part.endswith(" processors") or part.startswith("Python ")] + [
            part for part in parts if part in {"x86_64", "aarch64"}
        ]

    return kind(one) == kind(other)


def markdown(rows: Sequence[Row], machine: str) -> str:
    """The whole table."""
    lines = [machine, "", "| what | median | runs | ratio | goal | bound |", "|---|---|---|---|---|---|"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** | | | | | |")
        lines.append(
            f"| {row.what} | {row.value:.4g} {row.unit} | {row.runs} | {row.shown_ratio} | {row.shown_goal} "
            f"| {row.bound} |"
        )
    return "\n".join(lines) + "\n"


def goals(rows: Sequence[Row], machine: str) -> str:
    """The rows that have a goal, and how many of these are met; of the others, what bounds them."""
    judged = [row for row in rows if row.goal is not None]
    lines = [f"{sum(row.met is True for row in judged)} of {len(judged)} goals are met.", ""]
    lines += ["| what | median | ratio | goal | bound |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.group}: {row.what} | {row.value:.3g} {row.unit} | {row.shown_ratio} | {row.shown_goal} "
        f"| {row.bound} |"
        for row in rows
        if row.goal is not None or row.beside
    ]
    return "\n".join([*lines, "", textwrap.fill(f"{machine}. All rows: [results.md](results.md).", 118)]) + "\n"


def headlines(rows: Sequence[Row], machine: str) -> str:
    """Three lines for the README, and where to read what they leave out."""
    by_name = {(row.group, row.what): row for row in rows}
    digits = "estimates of digits_w4a4, process"
    cold, cached = by_name[digits, "cold"], by_name[digits, "repeated, all cached"]
    start = by_name["start", "`bskernel --help`"]
    judged = [row.met for row in rows if row.goal is not None]
    lines = (
        "| estimates of the digits network, executors as processes | time | compared with FINN+ alone |",
        "|---|---|---|",
        f"| every step runs | {cold.value:.3g} {cold.unit} | {cold.shown_ratio} |",
        f"| nothing changed: the command again | {cached.value:.3g} {cached.unit} | {cached.shown_ratio} |",
        f"| `bskernel --help` | {start.value:.3g} {start.unit} | |",
        "",
        f"Medians of {machine.partition(',')[0]}. {judged.count(True)} of {len(judged)} goals for speed are met.",
        "[benchmarks](benchmarks/README.md) lists all of them and explains each figure.",
    )
    return "\n".join(lines) + "\n"
