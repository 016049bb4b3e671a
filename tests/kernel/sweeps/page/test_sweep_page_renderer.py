"""The page of a sweep as HTML: whole for any sweep, and nothing in it is code of others."""

import re

import pytest
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import SweepTable
from bskernel.sweeps.page.sweep_page import make_sweep_page
from bskernel.sweeps.report.sweep_page_renderer import render_sweep_page
from support.html_document import document
from support.page_records import HOSTILE
from support.sweep_records import GOALS, full_sweep
from support.sweep_tables import design, digits, found, row, table

FAILED = row("a", status="failed", reason="no")
FAKE = [
    row(name, found("LUT", lut, source="stand-in:x"), found("throughput", rate))
    for name, lut, rate in (("a", 1, 1), ("b", 2, 2))
]


@pytest.mark.parametrize(
    ("goals", "sweep"),
    [
        (GOALS, None),
        (Goals(), None),
        (Goals(minimize=("LUT",)), None),
        (Goals(minimize=("LUT",), require=("resources.LUT < 0",)), None),
        (GOALS, table()),
        (GOALS, table(FAILED)),
        (GOALS, table(design("only", 1, 1))),
        (Goals(maximize=("throughput",), minimize=("DSP", "latency")), digits()),
        (Goals(maximize=("throughput",), minimize=("LUT",)), table(*FAKE)),
    ],
)
def test_any_sweep_has_a_whole_page(goals: Goals, sweep: SweepTable | None) -> None:
    record = full_sweep(goals, sweep)
    found = document(render_sweep_page(make_sweep_page(record)))
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert len(found.tables["point-table"]) == 1 + len(record.results.table.rows)


def test_names_settings_and_reasons_of_others_are_text_and_never_code() -> None:
    shown = render_sweep_page(make_sweep_page(full_sweep()))
    assert HOSTILE not in shown
    found = document(shown)
    assert found.scripts == 1
    assert found.text.count(HOSTILE) >= 3  # a name, a setting, a reason


def test_the_recommendation_comes_first_with_what_it_costs() -> None:
    text = document(render_sweep_page(make_sweep_page(full_sweep()))).text
    for fact in (
        "swept, with failures",
        "maximize throughput",
        "highest throughput fast1,000 inferences/s10 % lower",
        "lowest LUT small100 inferences/s800 % higher",
        "1 with equal numbers: twin",
        "failed: fold: no such node",
        "steps 40, 12 of them shared",
    ):
        assert fact in text, fact
    assert text.index("lowest LUT small") < text.index("A number counts points")


def test_failed_points_link_to_their_pages_and_links_are_quoted() -> None:
    links = document(render_sweep_page(make_sweep_page(full_sweep()))).links
    assert {link for link in links if not link.startswith("#")} == {
        "data:,",
        "points/good/report.html",
        "points/a%20b/report.html",
    }


def test_numbers_of_a_stand_in_are_no_result() -> None:
    goals = Goals(maximize=("throughput",), minimize=("LUT",))
    text = document(render_sweep_page(make_sweep_page(full_sweep(goals, table(*FAKE))))).text
    assert "NOT A RESULT: numbers of a stand-in" in text
    assert "all numbers are from a stand-in for a tool" in text


def test_equal_sweeps_give_equal_pages() -> None:
    pages = [render_sweep_page(make_sweep_page(full_sweep())) for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_line_is_broken_where_a_point_lacks_a_number() -> None:
    points = table(
        *(
            design(name, at, at, **({"depth": at} if at != 2 else {}), fps=at)
            for name, at in zip("abc", (1, 2, 3), strict=True)
        )
    )
    page = render_sweep_page(make_sweep_page(full_sweep(sweep=points)))
    paths = re.findall(r'data-points="1" d="([^"]*)"', page)
    assert [path.count("M") for path in paths] == [1]
    assert len(re.findall(r"[ML]", paths[0])) == 3
