"""`make bench`: everything that is claimed about speed, measured side by side in one run.

When all parts are measured, writes results.md and results.json here, and the goals into README.md; a part is only
shown, or written elsewhere (--into). Needs no more than `make demo` does; what is compared with and is not installed,
and Docker where no engine answers, is left out.
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
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect
from clusters import cluster
from measuring import Row, goals, markdown
from memory import executors
from networks import networks
from plans import long_plans
from storing import store
from sweep_plans import sweep_plans
from sweeping import sweeping
from trivial import start_up, trivial_steps

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->\n"


def _commit() -> str:
    told = subprocess.run(
        ["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    """Of what is measured beside bskernel, as far as it is here."""
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
    """What was measured, on what, and how busy that was with other things."""
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


def with_figures(readme: str, figures: str) -> str:
    """README.md with other figures between its two marks. Raises ValueError when it has them not."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no place for figures: {BEGIN!r} and {END!r}")
    return f"{before}{begin}{figures}{end}{after}"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("start", "trivial", "networks", "store", "executors", "plans", "sweep-plan", "sweep", "cluster")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all when none is named")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--model", type=Path, action="append", default=[], help="a network beside the digits, e.g. TFC"
    )
    parser.add_argument("--into", type=Path, help="where results.md and results.json are written")
    arguments = parser.parse_args()
    functions = dict(
        zip(
            parts,
            (
                start_up,
                trivial_steps,
                networks(arguments.model),
                store,
                executors,
                long_plans,
                sweep_plans,
                sweeping,
                cluster,
            ),
            strict=True,
        )
    )
    unknown = [part for part in arguments.parts if part not in functions]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}: {', '.join(functions)}")
    on, rows = machine(), list[Row]()
    for name, part in functions.items():
        if not arguments.parts or name in arguments.parts:
            with tempfile.TemporaryDirectory(prefix="bskernel-bench-") as folder:
                print(f"measuring {name}", file=sys.stderr, flush=True)
                rows += part(Path(folder), arguments.runs)
    told = {"machine": on, "rows": [row.as_dict() for row in rows]}
    into = arguments.into or (None if arguments.parts else HERE)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        (into / "results.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        (into / "results.md").write_text(markdown(rows, on), encoding="utf-8")
    if into == HERE:
        text = README.read_text(encoding="utf-8")
        README.write_text(with_figures(text, goals(rows, on)), encoding="utf-8")
    print(markdown(rows, on))


if __name__ == "__main__":
    main()
