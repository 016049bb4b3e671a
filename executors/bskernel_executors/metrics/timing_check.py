"""Check that a build meets its clock, if it must."""

from __future__ import annotations

from bskernel_executors.metrics.model import BuildMetrics
from bskernel_executors.sdk import StepFailure


def check_timing(metrics: BuildMetrics, clock_ns: float | None) -> None:
    """Raise StepFailure: timing when the routed worst slack is negative, metrics when no report states it.

    The stand-in for Vivado may fail the check, but never pass it. `clock_ns` is the requested clock period in ns.
    """
    slacks = [
        value for value in metrics.slack if value.stage == "routed" and not (value.is_stand_in and value.value >= 0)
    ]
    if not slacks and metrics.timing_met is None:
        only = (
            ": all numbers are from the stand-in for Vivado"
            if any(value.is_stand_in for value in metrics.slack)
            else ""
        )
        raise StepFailure(
            category="metrics",
            message=f"require_timing is set, but no report says whether the clock is met{only}",
            hint="place and route the design first, or remove require_timing",
        )
    worst = min(slacks, key=lambda value: value.value, default=None)
    if metrics.timing_met is not False and (worst is None or worst.value >= 0):
        return
    slack = (
        f"the worst slack is {worst.value:g} ns ({worst.source})" if worst is not None else "hold times are not met"
    )
    period = f" at a clock period of {clock_ns:g} ns" if clock_ns is not None else ""
    hint = "raise target.clock_ns, or fold the layer on the worst path more"
    if worst is not None and worst.value < 0 and clock_ns is not None:
        hint = f"{hint}; these paths would meet {clock_ns - worst.value:g} ns"
    raise StepFailure(category="timing", message=f"timing is not met: {slack}{period}", hint=hint)
