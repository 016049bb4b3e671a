"""FINN's steps that run Vivado or Vitis HLS: their dependencies, their failures, and the makers of their reports."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.exchange.report_makers import MADE_BY, read_makers
from bskernel_executors.finn_step.known_steps import HLS_ALWAYS, HLS_BY_LAYER, TOOL_REPORTS
from bskernel_executors.finn_step.paths import DEPENDENCIES
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.watched_tools import WatchedTools
from bskernel_executors.vivado_reports import describe_failure, find_cause, find_wrong_design, read_log

_PROGRAMS = ("vivado", "vitis_hls", "vitis-run", "v++", "xelab")
_HEADERS = "finn-hlslib"


def check_dependencies(step: Step[Any], name: str, model: Any) -> None:
    """Raise StepFailure (config) if HLS will run without its headers."""
    of_layers = name in HLS_BY_LAYER and any(node.op_type.endswith("_hls") for node in model.graph.node)
    if of_layers or name in HLS_ALWAYS:
        check_headers(step, name, step.name)


def check_headers(step: Step[Any], name: str, configured: str) -> None:
    """Raise StepFailure (config) without HLS's headers, which the build gives to its step `configured`."""
    given = step.input(DEPENDENCIES)
    if given is None or not (given / _HEADERS).is_dir():
        raise StepFailure(
            category="config",
            message=f"{name}: Vitis HLS needs {_HEADERS}, which the input `{DEPENDENCIES}` does not have",
            hint=f'give the folder that `finn deps update` makes: [step.{configured}] inputs = {{ deps = "FOLDER" }};'
            " it contains finn-hlslib and board_files (docs/vivado.md)",
        )


def call_with_tools(step: Step[Any], name: str, call: Callable[[], Any], state: Path) -> Any:
    """Call the step's function and return its result.

    Raises StepFailure when a tool failed, even if FINN ignored that; otherwise whatever the function raises.
    """
    with WatchedTools(step.work / "tools", _PROGRAMS) as tools:
        try:
            result = call()
        except Exception as error:
            failure = _find_failure(name, tools, state)
            if failure is not None:
                raise failure from error
            raise
    failure = _find_failure(name, tools, state)
    if failure is not None:
        raise failure
    wrong = find_wrong_design(read_log(tools.output))
    if wrong is not None:
        raise StepFailure(message=f"{name}: Vivado did not synthesise the design that it was given: {wrong.text}")
    return result


def _find_failure(name: str, tools: WatchedTools, state: Path) -> StepFailure | None:
    """Make the failure of the first failed tool. Runs of a project have own logs, which Vivado may not print."""
    failed = tools.first_failure
    if failed is None:
        return None
    log = read_log(tools.output)
    if find_cause(log) is None:
        runs = sorted(state.rglob("runme.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        logs = ((path, read_log(path.read_text(encoding="utf-8", errors="replace"))) for path in runs)
        log = next((found for _, found in logs if find_cause(found) is not None), log)
        # The category is decided from the step's log, so the lines must be in it.
        print("\n".join(log.lines))
    return describe_failure(failed.code, log, f"{name}: {failed.tool}")


def digest_reports(output: Path) -> dict[str, str]:
    """Return the digests of the tools' reports, by name."""
    found = {name: output / "report" / name for name in TOOL_REPORTS}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if path.is_file()}


def note_makers(step: Step[Any], output: Path, before: dict[str, str]) -> None:
    """Note beside the reports which tool wrote each report of this step. The tool has a version, not a path."""
    found = {}
    for name, digest in digest_reports(output).items():
        tool = step.tools.get(TOOL_REPORTS[name])
        if tool is not None and before.get(name) != digest:
            found[name] = tool.rpartition(" ")[0]  # without its fingerprint
    write_makers(output, found)


def write_makers(output: Path, found: dict[str, str]) -> None:
    """Add reports, each with the tool that wrote it, to what is noted beside the reports."""
    known = read_makers(output / "report") | found
    if known:
        (output / "report" / MADE_BY).write_text(pretty_json(known), encoding="utf-8")
