"""What the numbers of a build are of: which share of the network, how many frames; and the missed target. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bskernel_executors.exchange.coverage import Coverage
from bskernel_executors.exchange.coverage_texts import format_share, list_names
from bskernel_executors.metrics.model import BuildMetrics, Value
from bskernel_executors.metrics.reconciliation import STAGES

_ROUNDING = 1e-9  # relative; FINN computes rates in floating point


def count_frames(throughput: Sequence[Value], coverage: Coverage | None) -> list[Value]:
    """Turn executions per second into frames per second; a measurement counts frames already."""
    frames = coverage.frames if coverage is not None else 1
    if frames == 1:
        return list(throughput)
    return [
        value
        if value.stage == "measured"
        else msgspec.structs.replace(
            value, value=value.value * frames, source=f"{value.source}, {frames} frames per execution"
        )
        for value in throughput
    ]


def describe_scope(coverage: Coverage | None) -> list[str]:
    """Warn if the numbers are of a part of the network, or of several frames at once."""
    if coverage is None:
        return []
    warnings = []
    if coverage.outside and coverage.share is not None:
        warnings.append(
            f"speed and size are those of {format_share(coverage.share)} of the network's MACs; not in hardware: "
            f"{list_names(coverage.outside)}"
        )
    if coverage.frames > 1:
        warnings.append(f"the network takes {coverage.frames} frames at once: latency and cycles are of all of them")
    return warnings


def describe_missed_target(metrics: BuildMetrics, target_fps: int | None) -> str | None:
    """Describe a target that the throughput nearest to the hardware does not reach; None if it is met or unknown."""
    values = [value for value in metrics.throughput if not value.is_stand_in]
    if target_fps is None or not values:
        return None
    found = max(values, key=lambda value: STAGES.index(value.stage))
    if found.value >= target_fps * (1 - _ROUNDING):
        return None
    slowest = next((layer for layer in metrics.layers if layer.bottleneck and layer.cycles), None)
    layer = f"; the slowest layer is {slowest.name}, {slowest.cycles:,} cycles per frame" if slowest else ""
    wanted = f"target_fps is missed: wanted {target_fps:,} inferences/s"
    return f"{wanted}, but the {found.stage} is {found.value:,.10g}{layer}"
