"""Comparisons as text, Markdown, JSON and JUnit XML. `golden/` holds whole ones; UPDATE_GOLDEN=1 writes them anew."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from bskernel.report.diff_text import as_json, as_markdown, as_text
from bskernel.report.junit import as_junit
from bskernel.result.comparison import Comparison, Gate, Verdict, compare, judge
from hypothesis import given, settings
from hypothesis import strategies as st
from support.finished_builds import BASE, NEW, value

GOLDEN = Path(__file__).parent / "golden"
GATES = (
    Gate(fail_if="throughput < 0.98 * base", name="pace", reason="the camera gives 150 000 frames/s"),
    Gate(fail_if="LUT > 1.05 * base"),
    Gate(fail_if="latency > base"),
)


def judged(*gates: Gate, ignore: bool = False) -> Comparison:
    missing = "ignore" if ignore else "fail"
    verdicts = tuple(judge(gate, BASE.quantities, NEW.quantities, missing) for gate in gates)  # type: ignore[arg-type]
    return compare(BASE, NEW, verdicts)


@pytest.mark.parametrize(
    ("name", "render"), [("differences.txt", as_text), ("differences.md", as_markdown), ("gates.xml", as_junit)]
)
def test_a_comparison_is_written_as_it_was(name: str, render: object) -> None:
    assert callable(render)
    text = render(judged(*GATES))
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_json_holds_every_number_and_what_it_comes_to() -> None:
    data = json.loads(as_json(judged(*GATES)))
    assert (data["same"], data["failed"]) == (False, True)
    (rtlsim,) = [item for item in data["metrics"] if (item["name"], item["stage"]) == ("throughput", "rtlsim")]
    assert (rtlsim["base"], rtlsim["new"], rtlsim["change"], rtlsim["relative"]) == (
        195312.5,
        97656.25,
        -97656.25,
        -0.5,
    )
    assert [gate["status"] for gate in data["gates"]] == ["failed", "passed", "missing"]


def test_a_build_against_itself_shows_no_difference() -> None:
    same = compare(NEW, NEW)
    assert "### bskernel diff: no difference" in as_markdown(same)
    assert "configuration: the same\nexecutors: the same in 4 steps\nsteps: 4 same\n" in as_text(same)


def test_executors_whose_digest_is_not_kept_are_not_called_the_same_without_saying_so() -> None:
    bare = msgspec.structs.replace(BASE, steps=tuple(msgspec.structs.replace(s, action=None) for s in BASE.steps))
    assert "executors: the same in 4 steps by name and version; digest unknown for 4\n" in as_text(
        compare(BASE, bare)
    )


def test_metrics_without_a_change_are_folded_away_in_a_comment() -> None:
    shown, _, folded = as_markdown(compare(BASE, NEW)).partition("<details>")
    assert "`utilization.LUT`" not in shown
    assert "`utilization.LUT`" in folded


# What each element of a JUnit file may have: attributes that it must have, others that it may, and children in order.
# It is what the schemas of Jenkins, the older and the present one, both allow; GitLab reads a part of it.
SHAPE: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (set(), {"name", "tests", "failures", "errors", "time"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "testcase": ({"name"}, {"classname", "time"}, ["skipped", "error", "failure", "system-out", "system-err"]),
    "failure": (set(), {"message", "type"}, []),
    "error": (set(), {"message", "type"}, []),
    "skipped": (set(), set(), []),
    "system-out": (set(), set(), []),
}


def check_shape(element: ET.Element) -> None:
    required, optional, children = SHAPE[element.tag]
    assert required <= set(element.attrib) <= required | optional, element.tag
    order = [children.index(child.tag) for child in element]
    assert order == sorted(order), element.tag
    for child in element:
        check_shape(child)


def test_a_gate_is_a_test_case_and_what_cannot_be_judged_an_error() -> None:
    root = ET.fromstring(as_junit(judged(*GATES)))
    check_shape(root)
    (suite,) = root
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "1", "0"]
    assert [(case.get("name"), case[0].tag) for case in suite] == [
        ("pace", "failure"),
        ("LUT > 1.05 * base", "system-out"),
        ("latency > base", "error"),
    ]
    ignored = ET.fromstring(as_junit(judged(*GATES, ignore=True)))
    check_shape(ignored)
    assert (ignored[0].get("errors"), ignored[0].get("skipped"), ignored[0][2][0].tag) == ("0", "1", "skipped")


@settings(deadline=None)
@given(st.text(), st.sampled_from(["passed", "failed", "missing", "ignored"]))
def test_junit_is_well_formed_whatever_the_texts(text: str, status: str) -> None:
    gate = Gate(fail_if=text, name=text, reason=text)
    verdict = Verdict(gate=gate, status=status, text=text)  # type: ignore[arg-type]
    base = msgspec.structs.replace(BASE, label=text, name=text)
    check_shape(ET.fromstring(as_junit(compare(base, NEW, (verdict,)))))


@settings(deadline=None)
@given(st.text(alphabet="|`<>@*_[]#\\ \nab", min_size=1))
def test_a_cell_stays_one_cell_of_code_whatever_is_in_it(text: str) -> None:
    comparison = compare(BASE, msgspec.structs.replace(NEW, config={"k": text}))
    (row,) = [line for line in as_markdown(comparison).splitlines() if line.startswith("| `k`")]
    cells = row.replace("\\|", "").split("|")
    assert len(cells) == 5  # with what stands before the first and behind the last bar
    assert not text.strip() or (cells[3].strip()[0], cells[3].strip()[-1]) == ("`", "`")


def test_a_comparison_says_how_many_numbers_are_a_stand_in_s() -> None:
    recorded = {"slack": [value(0.5, "ns", "routed", "stand-in (report/x.json)")]}
    text = as_text(compare(BASE, msgspec.structs.replace(NEW, metrics=recorded)))
    assert "; 1 number from a stand-in, not from hardware\n" in text
    assert "stand-in (report/x.json)" in text
    assert "stand-in" not in as_text(compare(BASE, NEW))
