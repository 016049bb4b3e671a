"""Writes the page of a sweep, and the pages of its points that it leads to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from bskernel.commands.report import write_report
from bskernel.core.errors import BskernelError
from bskernel.core.visible_text import visible
from bskernel.remains.plain_files import discard, read_plain
from bskernel.result.build_directory import RESULT
from bskernel.result.report_file import REPORT, read_report
from bskernel.sweeps.analysis.analysis import results_of
from bskernel.sweeps.analysis.analysis_types import Results
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.page.sweep_page import SweepRecord, make_sweep_page
from bskernel.sweeps.report.sweep_page_renderer import render_sweep_page
from bskernel.sweeps.results.sweep_file import POINTS, SWEEP, find_altered_sweep, read_sweep

MOST_PAGES = 200  # of points that are written with the sweep's: about 20 ms and 90 KiB each
_LIMIT = 1 << 30  # bytes of a document


def write_sweep_report(
    sweep: Path,
    output: Path,
    *,
    maximize: Sequence[str] = (),
    minimize: Sequence[str] = (),
    require: Sequence[str] = (),
) -> str:
    """The page of a sweep as HTML, with links that lead from `output` to the pages of its points.

    Those pages are written into the points' directories where they are missing or old, of at most MOST_PAGES points.
    Objectives and conditions replace those of the sweep. Raises ConfigError, EnvironmentLacking.
    """
    stored = read_sweep(sweep)
    results = results_of(stored.table, stored.goals.instead(maximize, minimize, require))
    file = sweep / SWEEP if sweep.is_dir() else sweep
    points = (file.parent / POINTS).resolve()
    links = {
        row.name: os.path.relpath(page, output.parent.resolve())
        for row in _by_interest(results)
        if (page := _point_page(row, points)) is not None
    }
    record = SweepRecord(
        results=results,
        sweep_sha256=hashlib.sha256(read_plain(file, _LIMIT) or b"").hexdigest(),
        status=stored.status,
        counts=stored.counts,
        seconds=stored.seconds,
        links=links,
        altered=find_altered_sweep(sweep),
    )
    return render_sweep_page(make_sweep_page(record))


def _by_interest(results: Results) -> list[Row]:
    """The points whose pages are written: first the Pareto set and what failed, then the others in their order."""
    best = {point.name for point in results.outcome.pareto}
    rows = sorted(results.table.rows, key=lambda row: not (row.name in best or row.status == "failed"))
    return rows[:MOST_PAGES]


def _point_page(row: Row, points: Path) -> Path | None:
    """The page of a point, written if it is missing or old; None if the point has no readable build directory.

    A sweep.json may be anybody's: nothing is written but into the sweep's own folder of points.
    """
    if row.directory is None or row.directory.resolve().parent != points:
        return None
    page = row.directory / REPORT
    result = read_plain(row.directory / RESULT, _LIMIT)
    if result is None:
        return None
    stored = read_report(row.directory)
    if stored is not None and stored.shows == hashlib.sha256(result).hexdigest():
        return page
    if stored is None and os.path.lexists(page):
        return None  # a file of the user's
    try:
        text = visible(write_report(row.directory, page))
        discard(page)
        page.write_bytes(text.encode())
    except (BskernelError, OSError):
        return None  # the sweep's page says that this one is not there
    return page
