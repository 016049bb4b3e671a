"""Captures a step's outputs into the store, exactly those that its entry declares."""

from __future__ import annotations

from pathlib import Path

from bskernel_protocol import (
    Failure,
    StepResult,
)
from bskernel_protocol.layout import LAYOUT, OUTPUTS

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import OutputViolation, Store
from bskernel.core.log_lines import last_lines
from bskernel.core.metrics_form import METRICS, METRICS_LARGEST, decode_metrics
from bskernel.core.record_form import find_record_fault
from bskernel.core.step import Step
from bskernel.core.visible_text import visible_line, visible_name
from bskernel.remains.folder import RemainsRefused, names_in, opened_folder, read_file


def capture_outputs(
    step: Step, directory: int, result: StepResult, log: bytes, store: Store
) -> ActionResult | Failure:
    """The result with its outputs captured, or the failure when they are not those that the entry declares.

    `directory` is the step's directory, open, where nobody else can put anything.
    """
    declared = {output.name: output for output in step.outputs}
    stray = next((name for name in names_in(directory) if name not in LAYOUT), None)
    if stray is not None:
        return _violation(f"step {step.name} wrote {visible_name(stray)!r} outside out/ and work/", log)
    fault = find_record_fault(result.record)
    if fault is not None:
        return _violation(f"step {step.name} recorded what cannot be kept: {fault}", log)
    try:
        with opened_folder(OUTPUTS, dir_fd=directory) as out:
            found = names_in(out)
            undeclared = [name for name in found if name not in declared]
            missing = [name for name, output in declared.items() if output.required and name not in found]
            if undeclared:
                shown = visible_name(undeclared[0])
                return _violation(f"step {step.name} wrote {shown!r}, which its entry does not declare", log)
            if missing:
                return _violation(f"step {step.name} did not write {missing[0]!r}, which its entry declares", log)
            if METRICS in found and declared[METRICS].kind == "file":
                try:
                    decode_metrics(read_file(out, METRICS, METRICS_LARGEST))
                except ValueError as error:
                    message = f"step {step.name} wrote {METRICS!r}, which cannot be read: {visible_line(str(error))}"
                    return _violation(message, log)
            artifacts = tuple(
                store.capture(Path(name), name, declared[name].kind, declared[name].media_type, folder=out)
                for name in found
            )
    except FileNotFoundError:
        return _violation(f"step {step.name} removed its folder out/", log)
    except (OutputViolation, RemainsRefused) as error:
        return _violation(f"step {step.name}: output {error}", log)
    return ActionResult(outputs=artifacts, record=result.record, log=store.put(log))


def _violation(message: str, log: bytes) -> Failure:
    return Failure(category="executor", message=message, cause=last_lines(log))
