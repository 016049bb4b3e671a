"""The analyses as entries: read what the flow gives, write the result, show a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.dataflow.layers import BitWidths
from bskernel_executors.metrics.breakdown import break_down
from bskernel_executors.metrics.comparison import compare_metrics
from bskernel_executors.metrics.headroom import find_headroom
from bskernel_executors.metrics.model import BuildMetrics
from bskernel_executors.metrics.roofline import find_bounds
from bskernel_executors.metrics.tables import (
    Shown,
    excess,
    show_bounds,
    show_breakdown,
    show_comparison,
    show_headroom,
)
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

StructT = TypeVar("StructT", bound=msgspec.Struct)
_METRICS = Input("metrics", kind="file", help="metrics.json of this build")
_WIDTHS_HELP = "what qonnx-transform:bit_widths says of the folded hardware graph"


class BreakdownParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `breakdown`."""

    target_fps: Annotated[int | None, parameter("wanted inferences/s", default_from="target.target_fps")] = None


class HeadroomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `headroom`."""

    limit: Annotated[float, msgspec.Meta(gt=0, le=1), parameter("fraction of each resource that may be used")] = 1.0
    on_excess: Annotated[Literal["warn", "fail"], parameter("what a resource above the limit does to the build")] = (
        "warn"
    )


class BoundParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `bound`."""

    memory_gb_s: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        parameter("bandwidth between the board's memory and the device", unit="GB/s"),
    ] = None


def read_json(path: Path, kind: type[StructT], what: str) -> StructT:
    """A file as that type. Raises StepFailure (metrics) naming what it is and what is wrong with it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StepFailure(category="metrics", message=f"{what} cannot be read: {error}") from error


def _metrics(step: Step[Any]) -> BuildMetrics:
    return read_json(step.required_input("metrics"), BuildMetrics, "metrics.json")


def _widths(step: Step[Any]) -> BitWidths | None:
    path = step.input("bit_widths")
    return None if path is None else read_json(path, BitWidths, "bit_widths.json")


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
    """Break the pace down."""
    found = break_down(_metrics(step), _widths(step), step.params.target_fps)
    _finish(step, "breakdown", found, show_breakdown(found), found.warnings)


def headroom(step: Step[HeadroomParameters]) -> None:
    """Find the headroom."""
    found = find_headroom(_metrics(step), step.params.limit)
    failure = excess(found)
    if failure is not None and step.params.on_excess == "fail":
        raise failure
    above = (str(failure),) if failure is not None else ()
    _finish(step, "headroom", found, show_headroom(found), (*above, *found.warnings))


def bound(step: Step[BoundParameters]) -> None:
    """Find what bounds each layer."""
    widths = read_json(step.required_input("bit_widths"), BitWidths, "bit_widths.json")
    try:
        found = find_bounds(_metrics(step), widths, step.params.memory_gb_s)
    except ValueError as error:
        raise StepFailure(
            message=f"{step.name}: {error}",
            hint="put qonnx-transform:bit_widths after the folding, and set target.clock_ns for metrics:collect",
        ) from error
    _finish(step, "bound", found, show_bounds(found), found.warnings)


def compare(step: Step[msgspec.Struct]) -> None:
    """Compare with a baseline."""
    theirs = read_json(step.required_input("baseline"), BuildMetrics, "inputs.baseline")
    found = compare_metrics(_metrics(step), theirs)
    _finish(step, "comparison", found, show_comparison(found))


def _output(name: str) -> tuple[Any, ...]:
    return (Output(name, kind="file", media_type="application/json"),)


def declare(registry: Registry) -> None:
    """Add the analyses to the executor's entries. They take any stage: what they need is in the metrics."""
    registry.entry(
        "breakdown",
        summary="which layer sets the pace, by how much, and which folding would be faster",
        parameters=BreakdownParameters,
        inputs=(_METRICS, Input("bit_widths", kind="file", required=False, help=_WIDTHS_HELP)),
        outputs=_output("breakdown"),
        failure="postprocessing",
    )(breakdown)
    registry.entry(
        "headroom",
        summary="how much of the device the design and its layers take, and what is left",
        parameters=HeadroomParameters,
        inputs=(_METRICS,),
        outputs=_output("headroom"),
        failure="postprocessing",
    )(headroom)
    registry.entry(
        "bound",
        summary="roofline: whether arithmetic, streams or memory bound each layer, and what is attainable",
        parameters=BoundParameters,
        inputs=(_METRICS, Input("bit_widths", kind="file", help=_WIDTHS_HELP)),
        outputs=_output("bound"),
        failure="postprocessing",
    )(bound)
    registry.entry(
        "compare",
        summary="every quantity and stage beside that of another build's metrics.json",
        inputs=(
            _METRICS,
            Input("baseline", kind="file", source="config", help="metrics.json of another build"),
        ),
        outputs=_output("comparison"),
        failure="postprocessing",
    )(compare)
