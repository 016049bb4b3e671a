"""What a CI service shows: annotations in GitHub's form, the summary of a job, JUnit of a build's steps."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import msgspec
import pytest
from bskernel.core.errors import ConfigError
from bskernel.core.step_report import StepReport
from bskernel.report.annotations import Annotation, ReadFile, annotate_error, annotate_result, as_github
from bskernel.report.ci_summary import as_summary, text_summary
from bskernel.report.junit import build_as_junit, error_as_junit
from bskernel.result.build_result import BuildResult
from bskernel.sweeps.analysis.table import Row, SweepTable
from bskernel.sweeps.report.junit import sweep_as_junit
from bskernel_protocol import Failure
from hypothesis import given
from hypothesis import strategies as st

CONFIG = ReadFile(name="nets/build.toml", text='[build]\nmodel = "n.onnx"\n[step.fold]\ntimeout_s = 1\n')
RAN = StepReport(name="load", executor="e@1", entry="load", status="ran", seconds=1.5)
RECALLED = StepReport(name="tidy", executor="e@1", entry="tidy", status="recalled")
SKIPPED = StepReport(name="last", executor="e@1", entry="last", status="skipped")


def failed(category: Any = "transform", message: str = "no such layer") -> BuildResult:
    failure = Failure(category=category, message=message, hint="name another")
    step = StepReport(name="fold", executor="e@1", entry="fold", status="failed", seconds=0.5, failure=failure)
    return BuildResult(
        name="n", status="failed", runtime="process", directory=Path("out"), seconds=2.0, artifacts={},
        steps=(RAN, RECALLED, step, SKIPPED), failure=failure, failed_step="fold", warnings=("build.model is odd",),
    )  # fmt: skip


def test_an_annotation_is_one_line_in_github_s_form() -> None:
    annotation = Annotation(level="error", title="a: b, c", text="100 %\nmore: x, y", file="a,b.toml", line=3)
    assert as_github(annotation) == "::error file=a%2Cb.toml,line=3,title=a%3A b%2C c::100 %25%0Amore: x, y"


@given(st.text(), st.text(), st.text())
def test_no_text_can_end_an_annotation_or_begin_another(title: str, text: str, file: str) -> None:
    line = as_github(Annotation(level="warning", title=title, text=text, file=file))
    assert "\n" not in line
    assert "\r" not in line
    head, _, said = line.removeprefix("::").partition("::")
    named, titled = head.removeprefix("warning ").split(",")
    values = [file.encode(errors="surrogatepass"), title.encode(errors="surrogatepass")]
    shown = [named.removeprefix("file="), titled.removeprefix("title=")]
    assert [unquote(one, errors="surrogatepass").encode(errors="surrogatepass") for one in shown] == values
    assert unquote(said) == text


def test_an_error_points_to_its_key_and_says_what_to_do() -> None:
    found = annotate_error(ConfigError("x", hint="see"), "build.model: no such file", CONFIG)
    assert (found.file, found.line, found.text) == ("nets/build.toml", 2, "build.model: no such file\nsee")
    assert annotate_error(ConfigError("x"), "x", None).file is None


def test_warnings_and_the_failure_point_to_what_they_are_about() -> None:
    warning, error = annotate_result(failed(), CONFIG)
    assert (warning.level, warning.line, warning.text) == ("warning", 2, "build.model is odd")
    assert (error.level, error.line, error.title) == ("error", 3, "bskernel: step fold")
    assert "no such layer" in error.text
    assert "name another" in error.text


def test_what_an_executor_warns_of_is_annotated() -> None:
    warns = msgspec.structs.replace(RAN, record={"summary": [{"label": "warning", "value": "on the host"}]})
    result = msgspec.structs.replace(failed(), steps=(warns,), failure=None, warnings=(), status="ok")
    assert [item.text for item in annotate_result(result, None)] == ["on the host"]


def test_the_summary_shows_the_failure_first_and_every_step() -> None:
    text = as_summary(failed())
    assert text.index("no such layer") < text.index("<details>")
    assert [text.count(f"| `{name}` |") for name in ("load", "tidy", "fold", "last")] == [1, 1, 1, 1]
    assert "| `tidy` | `e@1` | recalled |  |" in text


@given(st.text())
def test_no_text_leaves_its_block_in_the_summary(text: str) -> None:
    lines = text_summary("t", text).splitlines()
    fence = lines[2].removesuffix("text")
    assert set(fence) == {"`"}
    assert [line for line in lines[3:] if line.strip() == fence] == [fence]


@pytest.mark.parametrize(("category", "outcome"), [("transform", "failure"), ("environment", "error")])
def test_the_steps_of_a_build_are_test_cases(category: str, outcome: str) -> None:
    (suite,) = ET.fromstring(build_as_junit(failed(category)))
    assert [case.attrib["name"] for case in suite] == ["load", "tidy", "fold", "last"]
    children = [[child.tag for child in case] for case in suite]
    assert children == [["system-out"], ["system-out"], [outcome], ["skipped"]]
    (found,) = suite[2]
    assert found.attrib == {"message": "no such layer", "type": category}
    assert suite.attrib["time"] == "2.000"
    assert suite.attrib[f"{outcome}s"] == "1"


def test_the_points_of_a_sweep_are_test_cases() -> None:
    rows = [
        Row(name="p1", settings={"target.target_fps": 1}, status="ok"),
        Row(name="p2", settings={"target.target_fps": 2}, status="stopped", reason="LUT < 9 is not so"),
        Row(name="p3", settings={"target.target_fps": 3}, status="failed", reason="transform: no such layer"),
    ]
    (suite,) = ET.fromstring(sweep_as_junit(SweepTable.of("s", rows)))
    assert [case.attrib["name"] for case in suite] == [
        f"{row.name} (target.target_fps={row.settings['target.target_fps']})" for row in rows
    ]
    assert [[child.tag for child in case] for case in suite] == [["system-out"], ["skipped"], ["failure"]]


def test_an_error_before_the_first_step_is_a_test_case() -> None:
    (suite,) = ET.fromstring(error_as_junit("bskernel run", ConfigError("b.toml: wrong", hint="mend it")))
    ((error,),) = suite
    assert error.tag == "error"
    assert error.text == "b.toml: wrong\n-> mend it"
