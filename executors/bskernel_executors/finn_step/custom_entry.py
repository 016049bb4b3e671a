"""The entry `custom`: the user's own step function."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from bskernel_protocol import CODE

from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.parameters import Part, settable_fields
from bskernel_executors.finn_step.step_call import run_step
from bskernel_executors.sdk import Input, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.user_code import load_function

_SOURCE = Input(
    "source",
    kind="tree",
    required=False,
    source="config",
    help="folder with the module, unless it is part of FINN",
    media_type=CODE,
)


class CustomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `custom`."""

    function: Annotated[str, parameter("module:function in `source`: a step function (model, cfg) -> model")]
    synth_clk_period_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    fpga_part: Annotated[Part | None, parameter("FPGA part", default_from="target.part")] = None
    board: Annotated[str | None, parameter("board", default_from="target.board")] = None
    target_fps: Annotated[int | None, parameter("inferences/s to reach", default_from="target.target_fps")] = None
    config: Annotated[dict[str, Any], parameter("other fields of DataflowBuildConfig")] = {}


def run_custom(step: Step[CustomParameters]) -> None:
    """Run a user's step function, which may read every field of the configuration that a build may set."""
    from finn.builder.build_dataflow_config import DataflowBuildConfig

    function = load_function(step.params.function, step.input("source"))
    settable = settable_fields(DataflowBuildConfig)
    own = msgspec.structs.asdict(step.params)
    values = {key: default for key, (_, default) in settable.items() if default is not msgspec.NODEFAULT}
    for key in step.params.config:
        if key not in settable:
            raise StepFailure(category="config", message=f"config.{key}: unknown field of FINN's configuration")
    values |= {key: own[key] for key in ("synth_clk_period_ns", "fpga_part", "board", "target_fps")}
    run_step(step, step.params.function, function, values | step.params.config)


def declare_custom(registry: Registry) -> None:
    """Declare the entry."""
    registry.entry(
        "custom",
        summary="the user's own step function",
        parameters=CustomParameters,
        inputs=(*FLOW_INPUTS, _SOURCE),
        outputs=FLOW_OUTPUTS,
        failure="transform",
    )(run_custom)
