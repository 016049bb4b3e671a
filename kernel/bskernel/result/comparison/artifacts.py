"""The gate on artifacts: whether two builds made the same artifacts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bskernel.result.comparison.gates import Gate, Verdict
from bskernel.result.comparison.steps import StepComparison

GATE = Gate(fail_if="artifacts differ", reason="the same build gives the same bytes")
_FEW = 5  # steps that the verdict names


def judge_artifacts(steps: Sequence[StepComparison]) -> Verdict:
    """Judge the outputs of all steps: an output of one side alone differs, too."""
    sides = {"added": "only B has it", "removed": "only A has it"}
    different = [
        f"{step.name} ({', '.join(step.outputs) or sides[step.status]})"
        for step in steps
        if step.outputs or step.status in sides
    ]
    if not different:
        return Verdict(gate=GATE, status="passed", text=f"the outputs of all {len(steps)} steps are equal")
    more = f", and {len(different) - _FEW} more" if len(different) > _FEW else ""
    count = f"{len(different)} of {len(steps)} steps" if len(different) > 1 else "one step"
    return Verdict(gate=GATE, status="failed", text=f"{count}: {', '.join(different[:_FEW])}{more}")
