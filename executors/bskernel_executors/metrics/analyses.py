"""The analyses as entries: read their inputs, write the result, show a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.artifact_file import read_artifact
from bskernel_executors.exchange.bit_widths import BitWidths, read_bit_widths
from bskernel_executors.metrics.breakdown import break_down
from bskernel_executors.metrics.comparison import compare_metrics
from bskernel_executors.metrics.headroom import find_headroom
from bskernel_executors.metrics.model import BuildMetrics
from bskernel_executors.metrics.roofline import find_bounds
from bskernel_executors.metrics.tables import (
    Shown,
    describe_excess,
    show_bounds,
    show_breakdown,
    show_comparison,
    show_headroom,
)
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

_METRICS_DECODER = msgspec.json.Decoder(BuildMetrics)
_METRICS = Input("metrics", kind="file", help="metrics.json of this build")
_WIDTHS_HELP = "bit_widths.json of the folded hardware graph, from qonnx-transform:bit_widths"


class BreakdownParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `breakdown`."""

    target_fps: Annotated[int | None, parameter("inferences/s to reach", default_from="target.target_fps")] = None


class HeadroomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `headroom`."""

    limit: Annotated[float, msgspec.Meta(gt=0, le=1), parameter("fraction of each resource that may be used")] = 1.0
    on_excess: Annotated[Literal["warn", "fail"], parameter("what to do when a resource exceeds the limit")] = "warn"


class BoundParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `bound`."""

    memory_gb_s: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        parameter("bandwidth between the board's memory and the device", unit="GB/s"),
    ] = None


def _read_metrics(path: Path, name: str = "metrics.json") -> BuildMetrics:
    """Read metrics; errors call the file `name`. Raises StepFailure (metrics)."""
    return read_artifact(path, _METRICS_DECODER, name, writer="metrics:collect", category="metrics")


def _metrics(step: Step[Any]) -> BuildMetrics:
    return _read_metrics(step.required_input("metrics"))


def _widths(step: Step[Any]) -> BitWidths | None:
    path = step.input("bit_widths")
    return None if path is None else read_bit_widths(path, category="metrics")


def _finish(step: Step[Any], name: str, result: msgspec.Struct, shown: Shown, warnings: tuple[str, ...] = ()) -> None:
    tables, lines = shown
    rows = [*lines, *(("warning", text, step.name) for text in warnings)]
    step.output(name).write_text(pretty_json(result), encoding="utf-8")
    step.record(
        {
            "tables": [table for table in tables if table["rows"]],
            "summary": [{"label": label, "value": value, "note": note} for label, value, note in rows],
        }
    )


def breakdown(step: Step[BreakdownParameters]) -> None:
    """Break the cycles down by layer."""
    found = break_down(_metrics(step), _widths(step), step.params.target_fps)
    _finish(step, "breakdown", found, show_breakdown(found), found.warnings)


def headroom(step: Step[HeadroomParameters]) -> None:
    """Compute the headroom; fail when the limit is exceeded and `on_excess` is "fail"."""
    found = find_headroom(_metrics(step), step.params.limit)
    failure = describe_excess(found)
    if failure is not None and step.params.on_excess == "fail":
        raise failure
    above = (str(failure),) if failure is not None else ()
    _finish(step, "headroom", found, show_headroom(found), (*above, *found.warnings))


def bound(step: Step[BoundParameters]) -> None:
    """Find what bounds each layer."""
    widths = read_bit_widths(step.required_input("bit_widths"), category="metrics")
    try:
        found = find_bounds(_metrics(step), widths, step.params.memory_gb_s)
    except ValueError as error:
        raise StepFailure(
            message=f"{step.name}: {error}",
            hint="put qonnx-transform:bit_widths after the folding, and set target.clock_ns",
        ) from error
    _finish(step, "bound", found, show_bounds(found), found.warnings)


def compare(step: Step[msgspec.Struct]) -> None:
    """Compare with another build."""
    theirs = _read_metrics(step.required_input("baseline"), "inputs.baseline")
    found = compare_metrics(_metrics(step), theirs)
    _finish(step, "comparison", found, show_comparison(found))


def _output(name: str) -> tuple[Any, ...]:
    return (Output(name, kind="file", media_type="application/json"),)


def declare(registry: Registry) -> None:
    """Declare the entries. They accept any stage, because they read metrics instead of a model."""
    registry.entry(
        "breakdown",
        summary="which layers are the bottleneck, by how much, and which folding would be faster",
        parameters=BreakdownParameters,
        inputs=(_METRICS, Input("bit_widths", kind="file", required=False, help=_WIDTHS_HELP)),
        outputs=_output("breakdown"),
        failure="postprocessing",
    )(breakdown)
    registry.entry(
        "headroom",
        summary="how much of the device the design and its layers use, and what is left",
        parameters=HeadroomParameters,
        inputs=(_METRICS,),
        outputs=_output("headroom"),
        failure="postprocessing",
    )(headroom)
    registry.entry(
        "bound",
        summary="roofline: what bounds each layer (arithmetic, streams, memory) and what is attainable",
        parameters=BoundParameters,
        inputs=(_METRICS, Input("bit_widths", kind="file", help=_WIDTHS_HELP)),
        outputs=_output("bound"),
        failure="postprocessing",
    )(bound)
    registry.entry(
        "compare",
        summary="compare every quantity and stage with another build's metrics.json",
        inputs=(
            _METRICS,
            Input("baseline", kind="file", source="config", help="metrics.json of another build"),
        ),
        outputs=_output("comparison"),
        failure="postprocessing",
    )(compare)
