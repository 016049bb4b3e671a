"""The entries of the open flow, from the selection of RTL to the stitched design."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel_executors.finn_step.expectations import ExpectationParameters, write_expectations
from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.open_flow import (
    PreferenceParameters,
    StreamParameters,
    insert_streams,
    prefer,
)
from bskernel_executors.finn_step.selection import (
    Selection,
    make_selection_rows,
    refuse_unimplemented,
    select,
)
from bskernel_executors.finn_step.step_call import run_step, unpack_inputs
from bskernel_executors.finn_step.stitch_check import refuse_wrong_ends
from bskernel_executors.finn_step.stitched_design import is_library_edited, stitch
from bskernel_executors.lattice.devices import part_for_finn
from bskernel_executors.sdk import Input, Output, Registry, Step


def preferences(step: Step[PreferenceParameters]) -> None:
    """Set the preferences; list widened weights, and who implements the layers, in the summary.

    Raises StepFailure (kernel) for layers without RTL, and for several inputs or outputs, if RTL is required.
    """
    widened: list[str] = []
    chosen: list[Selection] = []
    part = part_for_finn(step.params.fpga_part)

    def change(model: Any, _: Any) -> Any:
        widened.extend(prefer(model, step.params))
        if step.params.require_rtl and part is not None:
            refuse_wrong_ends(model)
            chosen.extend(select(model, node, part) for node in model.graph.node)
            failure = refuse_unimplemented(chosen)
            if failure is not None:
                raise failure
        return model

    run_step(step, "prefer", change, {})
    rows = make_selection_rows(chosen) + [
        {"label": "widened", "value": f"weights of {name}", "note": "BIPOLAR to INT2"} for name in widened
    ]
    step.record({"summary": rows})


def insert(step: Step[StreamParameters]) -> None:
    """Insert width converters and FIFOs."""
    values = {"fpga_part": step.params.fpga_part}
    config = step.input("fifo_config")
    run_step(step, "insert_streams", lambda model, _: insert_streams(model, step.params, config), values)


def rtl_stitch(step: Step[msgspec.Struct]) -> None:
    """Stitch the layers into one design."""
    model, _, _ = unpack_inputs(step)
    out = step.output("rtl")
    out.mkdir()
    design = stitch(model, out)
    step.record({"layers": list(design.layers), "fifos": len(design.fifos), "sources": len(design.sources)})


def expect(step: Step[ExpectationParameters]) -> None:
    """Compute what every stream carries, for the first frames of the reference."""
    from qonnx.core.modelwrapper import ModelWrapper

    out = step.output("expected")
    out.mkdir()
    model = ModelWrapper(str(step.required_input("model")))
    frames = write_expectations(model, step.required_input("reference"), step.params.frames, out)
    step.record({"frames": frames})


def declare_preferences(registry: Registry) -> None:
    """Declare `prefer`, which needs no RTL."""
    registry.entry(
        "prefer",
        summary="prefer RTL or HLS for each layer, and widen one-bit weights for RTL",
        parameters=PreferenceParameters,
        inputs=FLOW_INPUTS,
        outputs=FLOW_OUTPUTS,
        stage_in=("hwgraph",),
        stage_out="hwgraph",
        failure="transform",
    )(preferences)


def declare_open_flow(registry: Registry) -> None:
    """Declare the entries if the RTL library has the edits of image.toml, without which open tools cannot read it."""
    if not is_library_edited():
        return
    registry.entry(
        "insert_streams",
        summary="insert width converters and FIFOs between RTL layers, for rtl-stitch",
        parameters=StreamParameters,
        inputs=(
            *FLOW_INPUTS,
            Input(
                "fifo_config",
                kind="file",
                required=False,
                help="a depth for each FIFO, from size_fifos or FINN",
                media_type="application/json",
            ),
        ),
        outputs=FLOW_OUTPUTS,
        stage_in=("hwgraph", "estimates"),
        stage_out="hwgraph",
        failure="kernel",
    )(insert)
    registry.entry(
        "expect",
        summary="compute in Python what every stream carries, so that a simulation can name a layer that differs",
        parameters=ExpectationParameters,
        inputs=(FLOW_INPUTS[0], Input("reference", kind="tree", help="frames, and what Python computes from them")),
        outputs=(Output("expected", kind="tree"),),
        stage_in=("hwgraph",),
        failure="transform",
    )(expect)
    registry.entry(
        "rtl-stitch",
        summary="stitch a graph of RTL layers into one self-contained design: sources, memories, top, streams",
        inputs=FLOW_INPUTS,
        outputs=(Output("rtl", kind="tree"),),
        stage_in=("rtl",),
        stage_out="rtl",
        failure="kernel",
    )(rtl_stitch)
