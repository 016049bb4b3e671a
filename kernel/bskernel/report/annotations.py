"""Annotations: errors and warnings that a CI service shows beside the line of a file.

GitHub, Gitea and Forgejo take them as workflow commands, one a line; GitLab as a file, a code quality report:
https://docs.github.com/actions/reference/workflow-commands-for-github-actions
https://docs.gitlab.com/ci/testing/code_quality/
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.core.errors import BskernelError
from bskernel.report.config_lines import find_line, find_step
from bskernel.result.build_result import BuildResult
from bskernel.result.comparison import Verdict
from bskernel.result.failure_text import describe_failure

Level = Literal["error", "warning"]


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """One remark. Without a file it belongs to the whole job; without a line, to the whole file."""

    level: Level
    title: str
    text: str
    file: str | None = None  # relative to the repository
    line: int | None = None  # from 1


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that annotations may point to: as the service names it, and what is in it."""

    name: str
    text: str


def as_github(annotation: Annotation) -> str:
    """The workflow command, one line."""
    values = {"file": annotation.file, "line": annotation.line, "title": annotation.title}
    said = ",".join(f"{key}={_property(str(value))}" for key, value in values.items() if value is not None)
    return f"::{annotation.level} {said}::{_data(annotation.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_code_quality(annotation: Annotation) -> dict[str, Any]:
    """An issue of GitLab's report. It must have a line; equal ones have equal fingerprints."""
    place = {"path": annotation.file or "", "lines": {"begin": annotation.line or 1}}
    issue = {"check_name": annotation.title, "description": annotation.text, "location": place}
    severity = {"error": "critical", "warning": "minor"}[annotation.level]
    return {**issue, "severity": severity, "fingerprint": digest_of_bytes(canonical_bytes(issue)).sha256}


def annotate_error(error: BskernelError, message: str, file: ReadFile | None) -> Annotation:
    """An error that ended a command; `message` is what it says of the file."""
    hint = f"\n{error.hint}" if error.hint else ""
    return Annotation(
        level="error",
        title="bskernel",
        text=f"{message}{hint}",
        file=file.name if file else None,
        line=find_line(file.text, message) if file else None,
    )


def annotate_result(result: BuildResult, file: ReadFile | None) -> tuple[Annotation, ...]:
    """The warnings of a build and its failure, beside the keys or the step of its configuration."""
    name = file.name if file else None
    found = [
        Annotation(
            level="warning",
            title=f"bskernel: {result.name}",
            text=text,
            file=name,
            line=find_line(file.text, text) if file else None,
        )
        for text in result.warnings
    ]
    for step in result.parts:
        # Executors warn by rows of their summary with this label.
        rows = [row for row in step.record.get("summary", ()) if row["label"] == "warning"]
        line = find_step(file.text, step.name) if file else None
        title = f"bskernel: step {step.name}"
        found += [Annotation(level="warning", title=title, text=row["value"], file=name, line=line) for row in rows]
    if result.failure is not None:
        failed = result.failed_step or ""
        found.append(
            Annotation(
                level="error",
                title=f"bskernel: step {failed}" if failed else f"bskernel: {result.name}",
                text=describe_failure(result.failure),
                file=name,
                line=find_step(file.text, failed) or find_line(file.text, result.failure.message) if file else None,
            )
        )
    return tuple(found)


def annotate_gate(verdict: Verdict) -> Annotation:
    """A gate that failed, or that cannot be judged."""
    reason = f"\n{verdict.gate.reason}" if verdict.gate.reason else ""
    title = f"gate {verdict.gate.title}: {verdict.status}"
    return Annotation(level="error", title=title, text=f"{verdict.text}{reason}")
