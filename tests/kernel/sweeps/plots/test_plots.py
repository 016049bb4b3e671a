"""Plots of a sweep: what they hold, and what a browser shows."""

import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from bskernel.core.errors import ConfigError
from bskernel.sweeps.analysis.analysis import assess
from bskernel.sweeps.analysis.analysis_types import Goals, Outcome
from bskernel.sweeps.analysis.table import SweepTable
from bskernel.sweeps.plots.parallel import categorical_axis, numeric_axis, parallel
from bskernel.sweeps.plots.plot_data import MOST, drawn
from bskernel.sweeps.plots.scatter import scatter
from bskernel.sweeps.report.renderer import write_plots
from support.browser import look_at
from support.sweep_tables import DIGITS, design, digits, found, row, table

TWO = Goals(maximize=("throughput",), minimize=("DSP",))
THREE = Goals(maximize=("throughput",), minimize=("DSP", "latency"))
FILES = [f"{name}.{suffix}" for name in ("pareto", "parallel") for suffix in ("svg", "png")]


def plotted(goals: Goals) -> tuple[SweepTable, Outcome]:
    return digits(), assess(digits(), goals)


def kinds(spec: dict[str, Any]) -> dict[str, str]:
    return {point["n"]: point["k"] for point in spec["data"]["values"]}


def test_every_compared_point_is_drawn_with_its_settings_and_the_best_ones_last() -> None:
    points, outcome = plotted(TWO)
    spec = scatter(points, outcome)
    shown = kinds(spec)
    assert set(shown) == {point.name for point in outcome.points}
    assert {name for name, kind in shown.items() if kind != "dominated"} == {point.name for point in outcome.pareto}
    assert list(shown)[-1] == "400k-4.0ns"
    assert shown["400k-4.0ns"] == "recommended"
    assert spec["data"]["values"][-1] == {
        "n": "400k-4.0ns", "k": "recommended", "v0": 488281.25, "v1": 7.0, "s0": "400000", "s1": "4.0",
    }  # fmt: skip


@pytest.mark.parametrize(("goals", "shape"), [
    (Goals(maximize=("throughput",), minimize=("DSP",)), "step-after"),
    (Goals(minimize=("latency", "DSP")), "step-after"),
    (Goals(maximize=("throughput", "DSP")), "step-before"),
])  # fmt: skip
def test_the_line_steps_along_what_is_dominated(goals: Goals, shape: str) -> None:
    line = scatter(*plotted(goals))["layer"][0]
    assert line["mark"]["interpolate"] == shape


def test_more_than_two_objectives_are_shown_in_pairs() -> None:
    spec = scatter(*plotted(THREE))
    pairs = [
        (plot["layer"][0]["encoding"]["y"]["field"], plot["layer"][0]["encoding"]["x"]["field"])
        for plot in spec["concat"]
    ]
    assert pairs == [("v0", "v1"), ("v0", "v2"), ("v1", "v2")]


def test_of_many_dominated_points_some_are_drawn_and_all_of_the_pareto_set() -> None:
    points = table(*(design(str(at), at, 20_000 + at if at < 100 else 50_000 - at) for at in range(9000)))
    outcome = assess(points, Goals(maximize=("throughput",), minimize=("LUT",)))
    shown = drawn(outcome)
    assert {point.name for point, kind in shown if kind != "dominated"} == {point.name for point in outcome.pareto}
    assert len(shown) - len(outcome.pareto) <= MOST
    assert any(f"drawn: {len(shown)} points" in line for line in scatter(points, outcome)["title"]["subtitle"])


def test_numbers_of_a_stand_in_are_marked_in_the_plot() -> None:
    fake = [
        row(name, found("LUT", lut, source="stand-in:x"), found("fps", fps), at=fps)
        for name, lut, fps in (("a", 1, 1), ("b", 2, 2))
    ]
    points = table(*fake)
    outcome = assess(points, Goals(maximize=("fps",), minimize=("LUT",)))
    for spec in (scatter(points, outcome), parallel(points, outcome)):
        assert any("stand-in" in line for line in spec["title"]["subtitle"])
        assert spec["title"]["subtitleColor"] == "#c00000"


def test_an_axis_of_numbers_is_linear_or_over_magnitudes_logarithmic() -> None:
    assert numeric_axis("clock", [4, 5, None, 8]).places == (0.0, 0.25, None, 1.0)
    assert numeric_axis("fps", [10, 100, 1000]).places == (0.0, 0.5, 1.0)
    assert numeric_axis("fps", [10, 1000]).title == "fps (log)"
    assert numeric_axis("LUT", [4, 5, 8], reverse=True).places == (1.0, 0.75, 0.0)
    assert numeric_axis("DSP", [3, 3]).places == (0.5, 0.5)
    assert numeric_axis("slack", [-1, 0, 1]).places == (0.0, 0.5, 1.0)
    assert numeric_axis("huge", [-1.7e308, 1.7e308]).places == (0.0, 1.0)


def test_an_axis_of_anything_else_has_its_values_in_their_order() -> None:
    axis = categorical_axis("part", ["b", "a", None, "b"], ["a", "b", "c", None])
    assert axis.places == (0.5, 0.0, 1.0, 0.5)
    assert axis.labels == ((0.0, "a"), (0.5, "b"), (1.0, "not set"))


def test_axes_are_the_settings_that_differ_and_the_objectives_with_the_better_end_above() -> None:
    points = table(design("a", 10, 5, fps=1, part="x", same=3), design("b", 20, 9, fps=2, part="y", same=3))
    spec = parallel(points, assess(points, Goals(maximize=("throughput",), minimize=("LUT",))))
    titles = [datum["t"] for datum in spec["layer"][-1]["data"]["values"]]
    assert titles == ["\nfps", "\npart", "throughput\n[inferences/s]", "resources.\nLUT"]
    a_line = [vertex["y"] for vertex in spec["datasets"]["vertices"] if vertex["n"] == "a"]
    assert a_line == [0.0, 0.0, 0.0, 1.0]


def test_plots_are_files_that_stand_for_themselves(tmp_path: Path) -> None:
    written = write_plots(*plotted(TWO), tmp_path)
    assert [path.name for path in written] == FILES
    for name in ("pareto", "parallel"):
        root = ET.fromstring((tmp_path / f"{name}.svg").read_bytes())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        png = (tmp_path / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", png[16:24])) > 500
    points = ET.fromstring((tmp_path / "pareto.svg").read_bytes()).iter()
    assert sum(node.get("aria-roledescription") == "point" for node in points) == 18


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        script = "from bskernel.cli import main; main()"
        call = [sys.executable, "-c", script, "results", str(DIGITS), "--plot", str(tmp_path / name)]
        subprocess.run(call, check=True, capture_output=True)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_one_objective_has_no_pareto_plot(tmp_path: Path) -> None:
    written = write_plots(*plotted(Goals(minimize=("DSP",))), tmp_path)
    assert [path.name for path in written] == FILES[2:]


@pytest.mark.parametrize("goals", [Goals(), Goals(minimize=("DSP",), require=("DSP < 0",))])
def test_nothing_to_plot_is_told(tmp_path: Path, goals: Goals) -> None:
    with pytest.raises(ConfigError, match="nothing to plot"):
        write_plots(*plotted(goals), tmp_path)


@pytest.mark.parametrize("goals", [TWO, THREE], ids=["two", "three"])
def test_every_point_is_drawn_in_its_colour(tmp_path: Path, goals: Goals) -> None:
    write_plots(*plotted(goals), tmp_path)
    drawing = (tmp_path / "pareto.svg").read_text()
    assert drawing.count('aria-roledescription="point"') == 18 * (1 if goals is TWO else 3)
    lines = re.findall(
        r'<path aria-label="[^"]*" role="graphics-symbol" aria-roledescription="line mark"[^>]* d="M[^"]*L',
        (tmp_path / "parallel.svg").read_text(),
    )
    assert len(lines) == 18
    assert {"#b5b5b5", "#d55e00", "#0072b2"} <= set(re.findall(r"#[0-9a-f]{6}", drawing))


HOSTILE = '</script><script>console.error("broken out")</script><img src=x onerror=alert(1)>'


@pytest.mark.browser
def test_a_text_of_the_users_stays_a_text(tmp_path: Path) -> None:
    points = table(design("a", 10, 5, note=HOSTILE, **{HOSTILE: 1}), design("b", 20, 9, note="b", **{HOSTILE: 2}))
    points = msgspec.structs.replace(points, name=HOSTILE)
    write_plots(points, assess(points, Goals(maximize=("throughput",), minimize=("LUT",))), tmp_path)
    for name in ("pareto", "parallel"):
        seen = look_at(tmp_path / f"{name}.svg", tmp_path)
        assert (seen.console, seen.requests) == ([], [])
        assert "<img" not in seen.document
