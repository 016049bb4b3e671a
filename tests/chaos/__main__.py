"""Tries all kinds of mishap in turn until the time is over, and reports. It ends with 1 if a promise was broken."""

import argparse
import functools
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect

from chaos.campaign import Campaign, become_reaper
from chaos.invariants import make_reference
from chaos.kind import Kind, parse_replay
from chaos.kinds import KINDS
from chaos.report import as_json, as_text, make_report
from chaos.site import Site

CI_LIMIT_S = 600.0  # what CI tries takes a fraction of it, unless something is stuck


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="make chaos CHAOS='...'", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="how long to try (default: 10 minutes)")
    length.add_argument("--hours", type=float, help="how long to try")
    length.add_argument("--tries", type=int, help="try each kind so often")
    length.add_argument("--volume", action="store_true", help="try each kind as often as the project's figures need")
    length.add_argument("--ci", action="store_true", help="as CI does: a part of it, without known violations")
    length.add_argument("--replay", metavar="KIND:SEED:NUMBER", help="repeat one trial of a report")
    length.add_argument("--list", action="store_true", help="list the kinds with their promises")
    parser.add_argument("--seed", type=int, default=1, help="what all random choices come from (default: 1)")
    parser.add_argument("--kinds", help="only these, separated by commas; a beginning stands for all that begin so")
    parser.add_argument("--report", type=Path, help="write the report to this file, too; as JSON if it ends in .json")
    parser.add_argument("--site", type=Path, help="a folder that keeps environments from one run to the next")
    return parser


def chosen(named: str | None, kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds that an option names. Raises SystemExit."""
    if named is None:
        engine = _has_engine()
        return [kind for kind in kinds if engine or not kind.container]
    found: list[Kind] = []
    for beginning in named.split(","):
        fitting = [kind for kind in kinds if kind.name == beginning] or [
            kind for kind in kinds if kind.name.startswith(beginning)
        ]
        if not fitting:
            raise SystemExit(f"--kinds {beginning}: no such kind; kinds: {', '.join(kind.name for kind in kinds)}")
        found += [kind for kind in fitting if kind not in found]
    return found


def _has_engine() -> bool:
    try:
        connect()
    except EnvironmentLacking:
        return False
    return True


def _tries(args: argparse.Namespace, kind: Kind) -> float:
    """How often the options have a kind tried."""
    if args.ci:
        return kind.tries
    return kind.volume if args.volume else args.tries or float("inf")


def main(options: Sequence[str], all_kinds: Sequence[Kind] = tuple(KINDS)) -> int:
    """Run the campaign; 1 with violations."""
    parser = arguments()
    args = parser.parse_args(options)
    if args.list:
        print("\n".join(f"{kind.name}: {kind.promise}" for kind in all_kinds))
        return 0
    replay = None
    if args.replay is not None:
        try:
            replay = parse_replay(args.replay)
        except ValueError as error:
            parser.error(str(error))
    kinds = chosen(replay[0] if replay else args.kinds, all_kinds)
    folder = args.site or Path(tempfile.mkdtemp(prefix="bskernel-chaos-site-"))
    started = time.monotonic()
    become_reaper()
    for signum in (signal.SIGINT, signal.SIGTERM):  # a job in a shell's background inherits an ignored SIGINT
        signal.signal(signum, signal.default_int_handler)
    site = Site(folder)
    site.make()
    make_reference(site)
    campaign = Campaign(
        site, replay[1] if replay else args.seed, lambda text: print(text, file=sys.stderr, flush=True)
    )
    try:
        if replay:
            campaign.run(kinds[0], replay[2])
        else:
            counted = args.volume or args.tries is not None
            seconds = CI_LIMIT_S if args.ci else 3600 * args.hours if args.hours else 60 * (args.minutes or 10)
            until = float("inf") if counted else time.monotonic() + seconds
            campaign.run_all(kinds, functools.partial(_tries, args), until)
    except KeyboardInterrupt:
        print("interrupted: the report is of what was tried until now", file=sys.stderr)
    finally:
        campaign.close()
        if args.site is None:
            shutil.rmtree(folder, ignore_errors=True)
    report = make_report(replay[1] if replay else args.seed, time.monotonic() - started, campaign.rows)
    text = as_text(report)
    if args.report is not None:
        args.report.write_bytes(as_json(report) if args.report.suffix == ".json" else text.encode())
    print(text, end="")
    return 1 if (report.unknown if args.ci else report.violations) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
