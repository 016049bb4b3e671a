"""What commands tell the CI service that runs them: annotations and the job's summary, where there are such things.

GitHub Actions, and what takes its place (Gitea, Forgejo), say so by GITHUB_ACTIONS=true. GitLab reads annotations
from a file, which BSKERNEL_CODE_QUALITY names. Others read JUnit files.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.cli.output import print_note, write_text
from bskernel.core.errors import BskernelError, ConfigError

if TYPE_CHECKING:
    from bskernel.report.annotations import Annotation, ReadFile
    from bskernel.result.build_result import BuildResult
    from bskernel.result.comparison import Comparison

SUMMARY = "GITHUB_STEP_SUMMARY"  # the file that becomes the summary of the job
CODE_QUALITY = "BSKERNEL_CODE_QUALITY"  # the file of GitLab's code quality report
_withheld: list[str] = []  # the token with which GitHub was told to obey nothing, while it is
_LARGEST = 1000 << 10  # bytes of a summary; GitHub refuses one of more than 1 MiB


def on_github() -> bool:
    """True when annotations are read from what a command prints."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def takes_annotations() -> bool:
    """True when anybody reads annotations."""
    return on_github() or bool(os.environ.get(CODE_QUALITY))


def withhold_commands() -> Callable[[], None]:
    """Have GitHub obey no line of what is printed from now on but annotations: steps print what they like.

    Returns what ends it. The token is GitHub's way to tell who may end it; no step knows it.
    """
    import secrets

    token = secrets.token_hex()
    _withheld.append(token)
    print_note(f"::stop-commands::{token}")

    def end() -> None:
        _withheld.remove(token)
        print_note(f"::{token}::")

    return end


def announce_build(result: BuildResult, config: Path) -> None:
    """Annotate the configuration with the warnings and the failure of its build, and write the summary."""
    if takes_annotations():
        from bskernel.report.annotations import annotate_result

        _annotate(annotate_result(result, _read(config)))
    if on_github():
        from bskernel.report.ci_summary import as_summary

        add_summary(as_summary(result))


def announce_gates(comparison: Comparison) -> None:
    """Annotate the job with each gate that failed, and write the comparison to the summary."""
    if on_github():
        from bskernel.report.annotations import annotate_gate
        from bskernel.report.diff_text import as_markdown

        _annotate(annotate_gate(verdict) for verdict in comparison.gates if verdict.fails)
        add_summary(as_markdown(comparison))


def announce_text(title: str, text: str) -> None:
    """Write to the summary what a command printed."""
    if on_github():
        from bskernel.report.ci_summary import text_summary

        add_summary(text_summary(title, text))


def announce_error(error: BskernelError) -> None:
    """Annotate the file that an error names."""
    if takes_annotations():
        from bskernel.report.annotations import annotate_error

        file, said = _named_file(error.message)
        _annotate([annotate_error(error, said, _read(file) if file else None)])


def add_summary(text: str) -> None:
    """Append to the summary of the job; what GitHub would refuse is cut, and says so."""
    from bskernel.core.visible_text import visible

    path = os.environ.get(SUMMARY)
    if not path:
        return
    data = visible(text).encode()
    if len(data) > _LARGEST:
        cut = data[:_LARGEST].decode(errors="ignore")
        data = f"{cut}\n\n(cut: the summary has more than {_LARGEST >> 10} KiB)\n".encode()
    try:
        with Path(path).open("ab") as file:
            file.write(data)
    except OSError as error:
        print_note(f"note: the summary of the job cannot be written: {path}: {error.strerror}")


def junit_of_errors(command: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have a command write its JUnit file also when it ends by an error, before its first step."""

    def decorate(call: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(call)
        def calling(junit: Path | None, **values: Any) -> None:
            try:
                call(junit=junit, **values)
            except BskernelError as error:
                if junit is not None:
                    from bskernel.report.junit import error_as_junit

                    write_text(junit, error_as_junit(command, error))
                raise

        return calling

    return decorate


def _annotate(annotations: Iterable[Annotation]) -> None:
    from bskernel.report.annotations import as_github

    found = tuple(annotations)
    if on_github() and found:
        for token in _withheld:
            print_note(f"::{token}::")
        for annotation in found:
            print_note(as_github(annotation))
        for token in _withheld:
            print_note(f"::stop-commands::{token}")
    if report := os.environ.get(CODE_QUALITY):
        _add_issues(Path(report), found)


def _add_issues(path: Path, annotations: Iterable[Annotation]) -> None:
    """Add to GitLab's report what points to a file; it knows nothing else."""
    import json

    from bskernel.report.annotations import as_code_quality

    try:
        issues = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        issues += [as_code_quality(annotation) for annotation in annotations if annotation.file]
        write_text(path, json.dumps(issues, indent=2) + "\n")
    except (OSError, ValueError, TypeError, BskernelError) as error:
        print_note(f"note: the code quality report cannot be written: {path}: {error}")


def _named_file(message: str) -> tuple[Path | None, str]:
    """The file that a message begins with, and what it says of it."""
    at = message.find(": ")
    while at > 0:
        path = Path(message[:at])
        with contextlib.suppress(OSError, ValueError):  # a name that no disk can hold
            if path.is_file():
                return path, message[at + 2 :]
        at = message.find(": ", at + 1)
    return None, message


def _repository() -> Path:
    return Path(os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or Path.cwd())


def _read(path: Path) -> ReadFile | None:
    """A file of the repository as annotations need it; None if it is elsewhere, or no text."""
    from bskernel.config.reader import read_text
    from bskernel.report.annotations import ReadFile

    try:
        place = path.resolve()
        name = place.relative_to(_repository().resolve())
    except (OSError, ValueError, RuntimeError):
        return None
    try:
        return ReadFile(name=str(name), text=read_text(place))
    except ConfigError:
        return ReadFile(name=str(name), text="")
