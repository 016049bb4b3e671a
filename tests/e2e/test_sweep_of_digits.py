"""The digits example as a sweep, built for real in FINN+'s locked environments."""

import json
from pathlib import Path

import pytest
from bskernel.commands.build import run_build
from bskernel.commands.sweep_report import write_sweep_report
from bskernel.core.observers import SilentObserver
from bskernel.sweeps.analysis.analysis import results_of
from bskernel.sweeps.analysis.metric import latest
from bskernel.sweeps.execution.preparation import prepare_sweep
from bskernel.sweeps.execution.sweep import run_sweep
from bskernel.sweeps.report.observers import SilentSweep
from bskernel.sweeps.results.sweep_result import SweepResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from support.html_document import document

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
# A cache of this test's own may know the steps before: a salt makes them anew.
SMALL = (
    'build.salt="a sweep of digits"',
    'sweep.grid={"target.target_fps" = [10_000, 200_000], "target.clock_ns" = [4.0, 8.0]}',
)
pytestmark = pytest.mark.env


def sweep(workspace: Workspace, output: Path, *settings: str) -> SweepResult:
    prepared = prepare_sweep(workspace, DIGITS / "sweep.toml", settings=(*SMALL, *settings))
    return run_sweep(workspace, prepared, SilentSweep(), output=output, options=BuildOptions(runtime="process"))


def test_a_sweep_of_digits_runs_each_distinct_action_once_and_makes_what_single_builds_make(
    workspace: Workspace, tmp_path: Path
) -> None:
    result = sweep(workspace, tmp_path / "sweep")
    assert result.status == "ok", [row.reason for row in result.table.rows]
    counts = result.counts
    assert (counts.points, counts.ok) == (4, 4)
    assert counts.ran == counts.actions
    # Of the steps before the folding each is one action, whatever the points set; of the others one for each point.
    keys: dict[str, set[str]] = {}
    for row in result.table.rows:
        for step in json.loads((tmp_path / "sweep" / "points" / row.name / "result.json").read_text())["steps"]:
            keys.setdefault(step["name"], set()).add(step["key"])
    names = list(keys)
    at = names.index("step_target_fps_parallelization")
    assert at > 8
    assert {len(keys[name]) for name in names[:at]} == {1}
    assert max(len(found) for found in keys.values()) == len(keys["metrics"]) == 4
    assert sum(len(found) for found in keys.values()) == counts.actions
    for row in result.table.rows:
        settings = [f"{key}={value}" for key, value in row.settings.items()]
        prepared = workspace.prepare(
            DIGITS / "sweep.toml", settings=(SMALL[0], *settings), output=tmp_path / row.name
        )
        alone = run_build(workspace, prepared, SilentObserver(), options=BuildOptions(runtime="process"))
        assert {step.status for step in alone.steps} == {"recalled"}
        assert row.directory is not None
        assert json.loads((row.directory / "metrics.json").read_text()) == json.loads(
            (alone.directory / "metrics.json").read_text()
        )
    again = sweep(workspace, tmp_path / "sweep")
    assert (again.counts.ran, again.runtime, again.table) == (0, "none", result.table)


def test_the_page_of_the_sweep_shows_every_number_of_every_point_and_leads_to_its_page(
    workspace: Workspace, tmp_path: Path
) -> None:
    output = tmp_path / "sweep"
    result = sweep(workspace, output, "build.salt=''")  # the test above counts what runs with its own
    page = document(write_sweep_report(output, output / "report.html"))
    table = page.tables["point-table"]
    cells = {row[0].strip(): dict(zip(table[0], row, strict=True)) for row in table[1:]}
    assert cells.keys() == {row.name for row in result.table.rows}
    for row in result.table.rows:
        assert f"points/{row.name}/report.html" in page.links
        assert (output / "points" / row.name / "report.html").is_file()
        for found in latest(row).values():
            shown = [text for name, text in cells[row.name].items() if found.name.removeprefix("resources.") in name]
            value = 100 * found.value if found.unit == "fraction" else found.value
            assert pytest.approx(value, rel=1e-3) in [
                float(text.replace(",", "").removesuffix(" %")) for text in shown
            ], found
    recommended = results_of(result.table, result.goals).recommended
    assert recommended is not None
    assert cells[recommended.name]["verdict"].strip() == "recommended"
