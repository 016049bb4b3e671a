"""`make bench`: measure every claim about speed, side by side in one run.

A run of all parts writes results.md and results.json here, the goals into benchmarks/README.md and three lines into
the README. A run of some parts only prints, or writes to the folder given by --into. The requirements are those of
`make demo`. Tools to compare with that are not installed, and Docker if no engine answers, are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect
from clusters import cluster
from confinement import confinement
from digits_sweep import digits_sweep
from measurement import Row, goals, headlines, markdown
from memory import executors
from networks import networks
from open_flow import open_flow
from plans import long_plans
from store_throughput import store
from sweep_plans import sweep_plans
from synchronisation import synchronisation
from trivial import start_up, trivial_steps

HERE = Path(__file__).resolve().parent
# The pages that hold figures, and what writes them there.
PAGES: dict[Path, Callable[[Sequence[Row], str], str]] = {
    HERE / "README.md": goals,
    HERE.parent / "README.md": headlines,
}
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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = (
        *("start", "trivial", "confinement", "syncing", "networks", "open", "store", "executors"),
        *("plans", "sweep-plan", "sweep", "cluster"),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; default: all")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", type=Path, action="append", default=[], help="another network, e.g. TFC")
    parser.add_argument("--into", type=Path, help="where results.md and results.json are written")
    arguments = parser.parse_args()
    functions = dict(
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
                cluster,
            ),
            strict=True,
        )
    )
    unknown = [part for part in arguments.parts if part not in functions]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}: {', '.join(functions)}")
    for page in PAGES:
        with_figures(page, "")  # a missing mark is an error now, not after an hour
    on, rows = machine(), list[Row]()
    for name, part in functions.items():
        if not arguments.parts or name in arguments.parts:
            with tempfile.TemporaryDirectory(prefix="bskernel-bench-") as folder:
                print(f"measuring {name}", file=sys.stderr, flush=True)
                rows += part(Path(folder), arguments.runs)
    report = {"machine": on, "rows": [row.as_dict() for row in rows]}
    into = arguments.into or (None if arguments.parts else HERE)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        (into / "results.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        (into / "results.md").write_text(markdown(rows, on), encoding="utf-8")
    if into == HERE:
        for page, figures in PAGES.items():
            page.write_text(with_figures(page, figures(rows, on)), encoding="utf-8")
    print(markdown(rows, on))


if __name__ == "__main__":
    main()
