"""`make bench`: everything that is claimed about speed, measured side by side in one run.

Writes benchmarks/results.md and results.json. Needs no more than `make demo` does; what is compared with and is not
installed, and Docker where no engine answers, is left out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from clusters import cluster
from measuring import Row, markdown
from memory import executors
from networks import networks
from plans import long_plans
from storing import store
from trivial import start_up, trivial_steps

HERE = Path(__file__).resolve().parent


def machine() -> str:
    """What was measured on, and how busy it was with other things."""
    return ", ".join(
        (
            str(dt.datetime.now(tz=dt.UTC).date()),
            f"{os.cpu_count()} processors",
            platform.machine(),
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
            f"load before {os.getloadavg()[0]:.1f}",
        )
    )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("start", "trivial", "networks", "store", "executors", "plans", "cluster")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all when none is named")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--model", type=Path, action="append", default=[], help="a network beside the digits, e.g. TFC"
    )
    parser.add_argument("--into", type=Path, default=HERE, help="where results.md and results.json are written")
    arguments = parser.parse_args()
    functions = dict(
        zip(
            parts,
            (start_up, trivial_steps, networks(arguments.model), store, executors, long_plans, cluster),
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
    arguments.into.mkdir(parents=True, exist_ok=True)
    (arguments.into / "results.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    (arguments.into / "results.md").write_text(markdown(rows, on), encoding="utf-8")
    print(markdown(rows, on))


if __name__ == "__main__":
    main()
