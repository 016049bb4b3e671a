"""How a build ends on a terminal: numbers as people say them, in a box that fits."""

from pathlib import Path
from typing import Any

import pytest
from bskernel.core.step_report import StepReport
from bskernel.report.human_units import humane, in_unicode, rate_text, time_text
from bskernel.report.result_summary import BoxRow, draw_box, summary_lines
from bskernel.report.styled_text import Line
from bskernel.report.text_width import cells
from bskernel.result.build_result import BuildResult
from bskernel_protocol import Failure


def plain(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("195,312.5 inferences/s", "195k frames/s"),
        ("1,356.336806 inferences/s", "1.36k frames/s"),
        ("999.7 inferences/s", "1k frames/s"),
        ("2,500,000 inferences/s", "2.5M frames/s"),
        ("765 inferences/s", "765 frames/s"),
        ("0.25 inferences/s", "0.25 frames/s"),
        ("1,577.905 us", "1.58 ms"),
        ("12.16 us", "12.2 us"),
        ("2,500,000 us", "2.5 s"),
        ("151.8123 MHz", "152 MHz"),
        ("-0.5432 ns", "-0.543 ns"),
        ("15234 (99.96% of the device)", "15,234 (99.96% of the device)"),
        ("152 (0.07% of the device)", "152 (0.07% of the device)"),
        ("96.6667 %", "96.7 %"),
        ("MVAU_rtl_1024", "MVAU_rtl_1024"),
        ("1024 cycles", "1,024 cycles"),
        ("finn-plus 1.6.1", "finn-plus 1.6.1"),
        ("450 of 450 frames", "450 of 450 frames"),
    ],
)
def test_measured_numbers_have_three_digits_and_units_that_people_use(text: str, said: str) -> None:
    assert humane(text) == said


def test_times_grow_into_larger_units() -> None:
    texts = [time_text(seconds) for seconds in (0, 12.16e-6, 0.0928, 16.91, 125.4, 4320)]
    assert texts == ["0 s", "12.2 us", "92.8 ms", "16.9 s", "2 min 5 s", "1 h 12 min"]
    assert rate_text(1e9) == "1G frames/s"
    assert in_unicode("12.2 us of us") == "12.2 \N{MICRO SIGN}s of us"


@pytest.mark.parametrize("columns", [16, 24, 40, 80, 200])
def test_a_box_fits_whatever_the_width_and_loses_no_word(columns: int) -> None:
    rows = [
        BoxRow(label="throughput", value="195k frames/s", note="estimate"),
        BoxRow(label="throughput", value="190k frames/s", note="rtlsim"),
        BoxRow(label="on the host", value="Softmax of the 層 layer at the end", note="after it"),
    ]  # fmt: skip
    lines = plain(draw_box(rows, columns))
    assert max(map(cells, lines)) <= columns
    squeezed = "".join("".join(lines).replace("\N{BOX DRAWINGS LIGHT VERTICAL}", "").split())
    for word in ("195k", "190k", "Softmax", "estimate", "rtlsim"):
        assert word in squeezed or columns < 40
    if columns >= 24:
        assert len({cells(line) for line in lines}) == 1  # the frame is straight
    if columns == 200:
        assert [line.count("throughput") for line in lines] == [0, 1, 0, 0, 0]


def make_result(**fields: Any) -> BuildResult:
    steps = (
        StepReport(
            name="metrics", executor="metrics@1", entry="metrics", status="ran",
            record={"summary": [
                {"label": "throughput", "value": "195,312.5 inferences/s", "note": "estimate"},
                {"label": "warning", "value": "slow \x1b[31m", "note": "metrics"},
                {"label": "LUT", "value": "\x1b]0;title\x07 7"},
            ]},
        ),
        StepReport(name="fold", executor="finn@1", entry="fold", status="recalled"),
        StepReport(name="cut", executor="finn@1", entry="cut", status="ran"),
    )  # fmt: skip
    whole: dict[str, Any] = {
        "name": "net",
        "status": "ok",
        "runtime": "process",
        "directory": Path("/w/build/a net"),
        "seconds": 1.5,
    }
    return BuildResult(steps=steps, artifacts={}, **(whole | fields))


def test_a_build_ends_with_executors_once_the_box_and_the_command_that_makes_its_page() -> None:
    lines = plain(summary_lines(make_result(), 100, Path("/w")))
    text = "\n".join(lines)
    assert lines[0] == "net: ok, 2 steps ran, 1 recalled, 1.5 s"
    assert lines[1] == "by finn@1 (2 steps), metrics@1 (1)"
    assert text.count("finn@1") == 1
    assert "195k frames/s" in text
    assert lines[-1] == "page     bskernel report 'build/a net' --open"
    assert lines[-2] == "results  build/a net"


def test_warnings_are_outside_the_box_each_once_and_harmless() -> None:
    lines = summary_lines(make_result(warnings=(r"other", "other")), 100, Path("/"))
    warned = [line[0] for line in lines if line[0][0].startswith("warning: ")]
    assert warned == [("warning: other", "warning"), (r"warning: slow \x1b[31m [metrics]", "warning")]
    assert "\x1b" not in "".join(plain(lines))
    assert "\x07" not in "".join(plain(lines))


def test_a_failure_is_told_before_the_page_and_in_its_style() -> None:
    failure = Failure(category="transform", message="no such layer", hint="look")
    lines = summary_lines(make_result(status="failed", failure=failure, failed_step="cut"), 60, Path("/w"))
    texts = plain(lines)
    at = texts.index("step cut failed, transform: no such layer")
    assert lines[at][0][1] == "bad"
    assert texts[-1].startswith("page ")


def test_without_unicode_there_is_a_box_of_ascii() -> None:
    lines = plain(summary_lines(make_result(), 80, Path("/w"), unicode=False))
    assert all(line.isascii() for line in lines)
    assert any(line.startswith("+---") for line in lines)
