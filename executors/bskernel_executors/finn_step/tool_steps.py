"""Steps of FINN's in which Vivado or Vitis HLS runs: what they need, how they failed, which reports are a tool's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.finn_step.places import DEPENDENCIES
from bskernel_executors.finn_step.stages import HLS_ALWAYS, HLS_BY_LAYER, REPORTS_OF_TOOLS
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.watched_tools import WatchedTools
from bskernel_executors.vivado_reports import MADE_BY, failure_of_run, first_cause, read_log, wrong_design

_PROGRAMS = ("vivado", "vitis_hls", "vitis-run", "v++", "xelab")
_HEADERS = "finn-hlslib"


def check_dependencies(step: Step[Any], name: str, model: Any) -> None:
    """Raises StepFailure (config) when HLS is going to miss its headers."""
    of_layers = name in HLS_BY_LAYER and any(node.op_type.endswith("_hls") for node in model.graph.node)
    if not of_layers and name not in HLS_ALWAYS:
        return
    given = step.input(DEPENDENCIES)
    if given is None or not (given / _HEADERS).is_dir():
        raise StepFailure(
            category="config",
            message=f"{name}: Vitis HLS needs {_HEADERS}, which is not in the input `{DEPENDENCIES}`",
            hint=f'give the folder that `finn deps update` makes: [step.{step.name}] inputs = {{ deps = "FOLDER" }};'
            " it holds finn-hlslib and board_files (docs/vivado.md)",
        )


def call_with_tools(step: Step[Any], name: str, call: Callable[[], Any], state: Path) -> Any:
    """What the step's function returns.

    Raises StepFailure when a tool failed, also where FINN goes on; else what the function raises.
    """
    with WatchedTools(step.work / "tools", _PROGRAMS) as tools:
        try:
            result = call()
        except Exception as error:
            failure = _failure(name, tools, state)
            if failure is not None:
                raise failure from error
            raise
    failure = _failure(name, tools, state)
    if failure is not None:
        raise failure
    wrong = wrong_design(read_log(tools.output))
    if wrong is not None:
        raise StepFailure(message=f"{name}: Vivado synthesised another design than it was given: {wrong.text}")
    return result


def _failure(name: str, tools: WatchedTools, state: Path) -> StepFailure | None:
    """How the first tool that failed did; a run of a project has a log of its own, which Vivado may not show."""
    failed = tools.first_failure
    if failed is None:
        return None
    log = read_log(tools.output)
    if first_cause(log) is None:
        runs = sorted(state.rglob("runme.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        logs = ((path, read_log(path.read_text(encoding="utf-8", errors="replace"))) for path in runs)
        log = next((found for _, found in logs if first_cause(found) is not None), log)
        # The failure is decided by the step's log.
        print("\n".join(log.lines))
    return failure_of_run(failed.code, log, f"{name}: {failed.tool}")


def digests_of(output: Path) -> dict[str, str]:
    """The reports of tools, as they are now."""
    found = {name: output / "report" / name for name in REPORTS_OF_TOOLS}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items() if path.is_file()}


def note_makers(step: Step[Any], output: Path, before: dict[str, str]) -> None:
    """Write beside the reports which tool each is of that this step has written: by what it is, not where it lies."""
    path = output / "report" / MADE_BY
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name, digest in digests_of(output).items():
        tool = step.tools.get(REPORTS_OF_TOOLS[name])
        if tool is not None and before.get(name) != digest:
            known[name] = tool.rpartition(" ")[0]  # without its fingerprint
    if known:
        path.write_text(pretty_json(known), encoding="utf-8")
