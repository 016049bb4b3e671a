"""`bskernel board run | flash`: a build's design on a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import echo, print_result

if TYPE_CHECKING:
    from bskernel.commands.board import Measured

_BUILD = click.argument("build", metavar="[BUILD]", type=PATH, required=False, shell_complete=complete_build)
_SHOWN = 12  # values of a frame


@click.group()
def board() -> None:
    """Run a build's design on a board, and flash it."""


@board.command()
@_BUILD
@click.option("--port", type=PATH, metavar="PORT", help="The board's serial port. Default: the only USB serial port.")
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="Send only the first N frames.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@JSON
def run(build: Path | None, port: Path | None, frames: int | None, timeout: float, as_json: bool) -> None:
    """Send BUILD's frames to a board, and compare what it answers.

    Reports accuracy, frames/s and latency, and writes them to BUILD/board-run. Exit code 3: a frame differs.
    """
    from bskernel.commands.board import find_port, run_on_board

    found = or_found_build(build)

    def progress(done: int, of: int) -> None:
        if sys.stderr.isatty() and not as_json:
            echo(f"\r{done} of {of} frames", err=True, nl=False)

    measured = run_on_board(found, port or find_port(), frames=frames, patience=timeout, progress=progress)
    if sys.stderr.isatty() and not as_json:
        echo("\r", err=True, nl=False)
    print_result(measured, lambda result: describe(result, found), as_json=as_json)
    sys.exit(measured.exit_code)


def describe(measured: Measured, build: Path) -> str:
    """What a person reads of a run."""
    found, mhz = measured.score, measured.clock_hz / 1e6
    rows = [("bit-exact", f"{found.exact} of {found.frames} frames")]
    if found.accuracy is not None:
        rows.append(("accuracy", f"{found.accuracy:.4f}, of what the board answered"))
    else:
        rows.append(("accuracy", f"not known: {found.why_no_accuracy}"))
    pace = found.cycles_per_frame
    if pace is not None:
        rows.append(
            ("throughput", f"{measured.clock_hz / pace:,.0f} frames/s: {pace:,.6g} cycles per frame at {mhz:g} MHz")
        )
    rows.append(("latency", f"{found.first_cycles / mhz:,.2f} us: {found.first_cycles:,} cycles"))
    rows.append(("over the UART", f"{measured.frames_per_second_over_uart:,.1f} frames/s"))
    if measured.repeated_requests:
        rows.append(("repeated", f"{measured.repeated_requests} requests that did not arrive whole"))
    test = measured.self_test
    if test is not None:
        words = {0: "not finished", 1: "passed", 2: "FAILED"}
        rows.append(
            ("self-test", f"{words.get(test.verdict, 'unknown')}: {test.frames - test.wrong} of {test.frames} frames")
        )
    lines = [f"{measured.build}: {measured.board} at {measured.port}"]
    lines += [f"  {name:<14} {value}" for name, value in rows]
    if found.difference is not None:
        lines += [
            f"  frame {found.difference.frame} differs first:",
            f"    board:  {_few(found.difference.answered)}",
            f"    Python: {_few(found.difference.expected)}",
        ]
    lines.append(f"  written to {build}/board-run; bskernel diff {build} {build}/board-run")
    return "\n".join(lines)


def _few(values: list[int]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(map(str, values[:_SHOWN])) + more


@board.command()
@_BUILD
@click.option("--dry-run", is_flag=True, help="Only print the command.")
@click.option("--keep", is_flag=True, help="Write the memory that the board starts from, not only the FPGA.")
def flash(build: Path | None, dry_run: bool, keep: bool) -> None:
    """Write BUILD's bitstream to the board, with openFPGALoader."""
    import shlex

    from bskernel.commands.board import flash as write
    from bskernel.commands.board import plan_flash

    plan = plan_flash(or_found_build(build), keep=keep)
    echo(shlex.join(plan.command))
    if not dry_run:
        write(plan)
