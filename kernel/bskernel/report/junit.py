"""JUnit XML, in the form that Jenkins, GitLab and GitHub's actions read: steps of a build, gates of a comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from xml.etree import ElementTree as ET

import msgspec

from bskernel.core.errors import BskernelError
from bskernel.core.step_report import StepReport
from bskernel.core.visible_text import visible
from bskernel.result.build_result import BuildResult
from bskernel.result.comparison import Comparison, Verdict
from bskernel.result.failure_text import describe_failure

# Characters that XML 1.0 cannot express, not even escaped.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Outcome = Literal["passed", "failure", "error", "skipped"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One test case; `kind` and `message` say why it did not pass."""

    group: str
    name: str
    outcome: Outcome = "passed"
    details: str = ""
    message: str = ""
    kind: str = ""
    seconds: float | None = None  # None: nothing was run


def _text(text: str) -> str:
    return _UNSAYABLE.sub("\ufffd", visible(text))


def suite_as_junit(name: str, cases: Sequence[Case]) -> str:
    """One suite with these cases."""

    def count(outcome: Outcome) -> str:
        return str(sum(case.outcome == outcome for case in cases))

    totals = {"tests": str(len(cases)), "failures": count("failure"), "errors": count("error")}
    times = [case.seconds for case in cases if case.seconds is not None]
    if times:
        totals["time"] = f"{sum(times):.3f}"
    root = ET.Element("testsuites", {"name": _text(name), **totals})
    suite = ET.SubElement(root, "testsuite", {"name": _text(name), **totals, "skipped": count("skipped")})
    for case in cases:
        time = {} if case.seconds is None else {"time": f"{case.seconds:.3f}"}
        element = ET.SubElement(suite, "testcase", {"classname": _text(case.group), "name": _text(case.name), **time})
        if case.outcome in {"failure", "error"}:
            attributes = {"message": _text(case.message), "type": case.kind}
            ET.SubElement(element, case.outcome, attributes).text = _text(case.details)
        elif case.outcome == "skipped":
            # As text: Jenkins' older schema has no attribute for it.
            ET.SubElement(element, "skipped").text = _text(case.details)
        elif case.details:
            ET.SubElement(element, "system-out").text = _text(case.details)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def build_as_junit(result: BuildResult) -> str:
    """The steps of a build: a failed one is a failure, or an error if the machine or the user ended it."""
    return suite_as_junit(f"bskernel run {result.name}", [_step(result.name, step) for step in result.steps])


def _step(build: str, step: StepReport) -> Case:
    details = ", ".join(filter(None, [step.status, step.executor, step.items_text]))
    case = Case(group=f"steps.{build}", name=step.name, seconds=step.seconds, details=details)
    if step.status == "skipped":
        return msgspec.structs.replace(case, outcome="skipped", details="did not start", seconds=None)
    if step.failure is None:
        return case
    category = step.failure.category
    return msgspec.structs.replace(
        case,
        outcome="error" if category in {"environment", "interrupted"} else "failure",
        kind=category,
        message=step.failure.message,
        details=describe_failure(step.failure),
    )


def error_as_junit(command: str, error: BskernelError) -> str:
    """One case for a command that ended before its first step."""
    details = error.message + (f"\n-> {error.hint}" if error.hint else "")
    case = Case(
        group=command, name="configuration", outcome="error", kind=type(error).__name__, message=error.message,
        details=details,
    )  # fmt: skip
    return suite_as_junit(command, [case])


def as_junit(comparison: Comparison) -> str:
    """The gates: one with a missing number is an error, or skipped if so asked. Without times: nothing was run."""
    cases = [_gate(comparison.new.name, verdict) for verdict in comparison.gates]
    return suite_as_junit(f"bskernel diff {comparison.base.label} {comparison.new.label}", cases)


_OUTCOMES: dict[str, Outcome] = {"failed": "failure", "missing": "error", "ignored": "skipped"}


def _gate(build: str, verdict: Verdict) -> Case:
    return Case(
        group=f"gates.{build}",
        name=verdict.gate.title,
        outcome=_OUTCOMES.get(verdict.status, "passed"),
        kind=verdict.status,
        message=verdict.text,
        details=_judged(verdict),
    )


def _judged(verdict: Verdict) -> str:
    lines = [f"fail if: {verdict.gate.fail_if}", verdict.text]
    if verdict.gate.reason:
        lines.append(f"reason: {verdict.gate.reason}")
    return "\n".join(
        [*lines, *(f"{r.side} {r.found.name}@{r.found.stage}: {r.found.source}" for r in verdict.readings)]
    )
