"""A build as Markdown, for the summary of a CI job."""

from __future__ import annotations

from bskernel.core.step_report import StepReport
from bskernel.report.markdown import code_block, code_span, folded, table
from bskernel.result.build_result import BuildResult
from bskernel.result.failure_text import describe_failed

_MARKS = {"ok": "\N{WHITE HEAVY CHECK MARK}", "stopped": "\N{BLACK SQUARE FOR STOP}"}
_CROSS = "\N{CROSS MARK}"


def as_summary(result: BuildResult) -> str:
    """The status, the failure and the numbers of a build; its steps are folded."""
    ran = sum(step.status == "ran" for step in result.steps)
    recalled = sum(step.status == "recalled" for step in result.steps)
    lines = [
        f"### {_MARKS.get(result.status, _CROSS)} bskernel: {code_span(result.name)} {result.status}",
        "",
        f"{ran} steps ran, {recalled} recalled, {result.seconds:.2f} s, runtime {result.runtime}",
    ]
    for text in result.warnings:
        lines += ["", f"\N{WARNING SIGN} {code_span(text)}"]
    if result.failure is not None:
        lines += ["", *code_block(describe_failed(result))]
    if rows := [row for step in result.parts for row in _numbers(step)]:
        lines += ["", *table([("number", "value", ""), *rows])]
    for step in result.parts:
        for grid in step.record.get("tables", ()):
            cells = [[code_span(cell) for cell in row] for row in (grid["columns"], *grid["rows"])]
            lines += ["", f"**{code_span(grid['title'])}**", "", *table(cells)]
    if result.steps:
        heads = ("step", "executor", "status", "seconds")
        steps = [_step(step) for step in result.steps]
        lines += folded(f"{len(result.steps)} steps", table([heads, *steps], numbers=[3]))
    return "\n".join(lines) + "\n"


def text_summary(title: str, text: str) -> str:
    """What a command printed, for commands without a summary of their own."""
    return "\n".join([f"### bskernel: {code_span(title)}", "", *code_block(text)]) + "\n"


def _numbers(step: StepReport) -> list[tuple[str, str, str]]:
    rows = step.record.get("summary", ())
    return [(code_span(row["label"]), code_span(row["value"]), code_span(row.get("note") or "")) for row in rows]


def _step(step: StepReport) -> tuple[str, str, str, str]:
    seconds = "" if step.status in {"recalled", "skipped"} else f"{step.seconds:.2f}"
    status = f"{step.status}, {step.items_text}" if step.items else step.status
    return code_span(step.name), code_span(step.executor), status, seconds
