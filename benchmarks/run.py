"""`make bench`: measure every claim about speed, side by side in one run.

A run of all parts writes results.md and results.json here, the goals into benchmarks/README.md and three lines into
the README. A run of some parts only prints, or writes to the folder given by --into. With --quick a few parts are
measured, in minutes, and compared with results.json: the exit code is 1 if a ratio worsened. The requirements are
those of `make demo`. Tools to compare with that are not installed, and Docker if no engine answers, are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import functools
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from bounds import beside
from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect
from clusters import cluster
from code_generation import code_generation
from confinement import confinement
from digits_sweep import digits_sweep
from foldings import foldings
from measurement import Row, goals, headlines, markdown, same_machine, worsened
from memory import executors
from networks import networks
from open_flow import open_flow
from plans import long_plans
from store_throughput import store
from sweep_plans import sweep_plans
from sweep_store import sweep_store
from synchronisation import synchronisation
from trivial import start_up, trivial_steps

HERE = Path(__file__).resolve().parent
# The pages that hold figures, and what writes them there.
PAGES: dict[Path, Callable[[Sequence[Row], str], str]] = {
    HERE / "README.md": goals,
    HERE.parent / "README.md": headlines,
}
Part: TypeAlias = "Callable[[Path, int], list[Row]]"
_MOST = 1.2  # how many times the ratio of before a ratio may be
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->\n"


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    """Versions of the programs that bskernel is compared with, if they are installed."""
    found = {}
    for name in ("doit", "snakemake"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    with contextlib.suppress(EnvironmentLacking):
        client = connect()
        found["Docker"] = client.version()["Version"]
        client.close()
    return found


def machine() -> str:
    """What was measured, on which machine, and the load of that machine before."""
    return ", ".join(
        (
            str(dt.datetime.now(tz=dt.UTC).date()),
            f"bskernel at {_commit()}",
            f"{len(os.sched_getaffinity(0))} processors",
            platform.machine(),
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
            *(f"{name} {version}" for name, version in versions().items()),
            f"load before {os.getloadavg()[0]:.1f}",
        )
    )


def with_figures(page: Path, figures: str) -> str:
    """The page with other figures between its two marks. Raises ValueError if it has no such marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for figures: {BEGIN!r} and {END!r}")
    return f"{before}{begin}{figures}{end}{after}"


def measure(name: str, part: Part, runs: int) -> list[Row]:
    """The rows of a part, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bskernel-bench-") as folder:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        return part(Path(folder), runs)


def write(into: Path, rows: Sequence[Row], on: str) -> None:
    """Write results.md and results.json."""
    into.mkdir(parents=True, exist_ok=True)
    report = {"machine": on, "rows": [row.as_dict() for row in rows]}
    (into / "results.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (into / "results.md").write_text(markdown(rows, on), encoding="utf-8")


def quick(runs: int, against: Path, into: Path | None) -> int:
    """Measure what changes of the code slow down first; returns 1 if a ratio worsened by more than a fifth.

    What seems to have worsened is measured once more: a slow moment of the machine is no worse code.
    """
    before = json.loads(against.read_text(encoding="utf-8"))
    parts: dict[str, Part] = {
        "trivial": functools.partial(trivial_steps, used=["process"]),
        "networks": networks([], used=["process"]),
    }
    on = machine()
    is_same = same_machine(on, before["machine"])
    rows, lines = list[Row](), list[str]()
    for name, part in parts.items():
        found = measure(name, part, runs)
        rows += found
        worse = worsened(found, before["rows"], _MOST)
        if is_same and worse:
            still = worsened(measure(f"{name} once more", part, runs), before["rows"], _MOST)
            lines += [still[row] for row in worse if row in still]
    if into is not None:
        write(into, rows, on)
    print(markdown(rows, on))
    if not is_same:
        print(f"nothing is compared: {against} is of another machine: {before['machine']}")
    for line in lines:
        print(f"worse: {line}")
    return 1 if lines else 0


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = (
        *("start", "trivial", "confinement", "syncing", "networks", "open", "store", "executors"),
        *("plans", "sweep-plan", "sweep", "sweep-store", "cluster", "folding", "codegen"),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; default: all")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", type=Path, action="append", default=[], help="another network, e.g. TFC")
    parser.add_argument("--into", type=Path, help="where results.md and results.json are written")
    parser.add_argument("--quick", action="store_true", help="a few parts, compared with a run of before")
    parser.add_argument("--against", type=Path, default=HERE / "results.json", help="its results.json, for --quick")
    arguments = parser.parse_args()
    if arguments.quick:
        if arguments.parts:
            parser.error("--quick has parts of its own")
        sys.exit(quick(arguments.runs, arguments.against, arguments.into))
    functions: dict[str, Part] = dict(
        zip(
            parts,
            (
                start_up,
                trivial_steps,
                confinement,
                synchronisation,
                networks(arguments.model),
                open_flow,
                store,
                executors,
                long_plans,
                sweep_plans,
                digits_sweep,
                sweep_store,
                cluster,
                foldings,
                code_generation,
            ),
            strict=True,
        )
    )
    unknown = [part for part in arguments.parts if part not in functions]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}: {', '.join(functions)}")
    for page in PAGES:
        with_figures(page, "")  # a missing mark is an error now, not after an hour
    on, rows, failed = machine(), list[Row](), list[str]()
    for name, part in functions.items():
        if not arguments.parts or name in arguments.parts:
            try:
                rows += measure(name, part, arguments.runs)
            except Exception:  # noqa: BLE001 - what the other parts measure is not lost
                traceback.print_exc()
                failed.append(name)
    rows = beside(rows)
    if failed:
        print(markdown(rows, on))
        sys.exit(f"nothing is written: {', '.join(failed)} failed")
    into = arguments.into or (None if arguments.parts else HERE)
    if into is not None:
        write(into, rows, on)
    if into == HERE:
        for page, figures in PAGES.items():
            page.write_text(with_figures(page, figures(rows, on)), encoding="utf-8")
    print(markdown(rows, on))


if __name__ == "__main__":
    main()
