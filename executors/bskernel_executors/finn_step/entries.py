"""One entry for each step of the installed FINN+, and `custom` for a user's own step."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Annotated, Any

import msgspec
from bskernel_protocol import CODE, EntryDescription

from bskernel_executors.finn_step.coverage import declare_coverage
from bskernel_executors.finn_step.expectations import ExpectationParameters, write_expectations
from bskernel_executors.finn_step.host_split import split_host
from bskernel_executors.finn_step.known_steps import FAILURES, HLS_ALWAYS, HLS_BY_LAYER, STAGES, TOOLS
from bskernel_executors.finn_step.library import load
from bskernel_executors.finn_step.library_steps import find_library_steps
from bskernel_executors.finn_step.main_output import declare_main_output
from bskernel_executors.finn_step.open_flow import (
    PreferenceParameters,
    StreamParameters,
    insert_streams,
    prefer,
)
from bskernel_executors.finn_step.parameters import FILES, FORMS, Part, parameters_struct, settable_fields
from bskernel_executors.finn_step.paths import DEPENDENCIES
from bskernel_executors.finn_step.recipe_entry import make_rows, recipe_parameters, run_by_recipe
from bskernel_executors.finn_step.recipes import Purpose
from bskernel_executors.finn_step.reference import ReferenceParameters, make_reference
from bskernel_executors.finn_step.rounding_entry import declare_rounding
from bskernel_executors.finn_step.selection import (
    Selection,
    make_selection_rows,
    refuse_unimplemented,
    select,
)
from bskernel_executors.finn_step.step_call import StepFunction, run_step, unpack_inputs
from bskernel_executors.finn_step.stitched_design import is_library_edited, stitch
from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.lattice.devices import part_for_finn
from bskernel_executors.quality.entry import declare_evaluate
from bskernel_executors.sdk import Entry, Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.config_reads import find_fields_read
from bskernel_executors.sdk.parameters import describe_parameters
from bskernel_executors.sdk.rules_file import load_rules
from bskernel_executors.sdk.user_code import load_function

registry = Registry(
    executor="finn-step",
    summary="FINN+'s build steps, one at a time",
    rules=load_rules(Path(__file__).with_name("rules.toml")),
)
_BACKENDS = (".fpgadataflow.rtl", ".fpgadataflow.hls")
_OUTPUTS = (
    Output("model", kind="file", media_type="application/x-onnx"),
    Output("output", kind="tree", help="FINN's output directory after this step"),
    Output("state", kind="tree", help="FINN_BUILD_DIR after this step; relocatable"),
)
_FLOW_INPUTS = (
    Input("model", kind="file", media_type="application/x-onnx"),
    Input("output", kind="tree", required=False),
    Input("state", kind="tree", required=False),
)
_FILE_INPUTS = {
    name: Input(
        name,
        kind="file",
        required=False,
        help=FORMS[name],
        source="config",
        media_type="application/json",
    )
    for name in FILES.values()
}

_DEPENDENCIES = Input(
    DEPENDENCIES,
    kind="tree",
    required=False,
    help="FINN+'s downloaded dependencies: finn-hlslib, board_files",
    source="config",
)


def _declare(name: str, function: StepFunction, config: type, settable: dict[str, tuple[Any, Any]]) -> None:
    parameter_names = list(inspect.signature(function).parameters)
    read = find_fields_read(function, parameter_names[1], config, frozenset(settable) | FILES.keys())
    struct = parameters_struct(name, read, settable)
    stage_in, stage_out = STAGES.get(name, ((), None))
    given = tuple(_FILE_INPUTS[FILES[field]] for field in sorted(read & FILES.keys()))
    if name in HLS_ALWAYS | HLS_BY_LAYER:
        given = (*given, msgspec.structs.replace(_DEPENDENCIES, required=name in HLS_ALWAYS))
    lines = (inspect.getdoc(function) or "").strip().splitlines()
    registry.add(
        Entry(
            description=EntryDescription(
                name=name,
                summary=lines[0] if lines else "a step of FINN+",
                parameters=describe_parameters(struct),
                inputs=_FLOW_INPUTS + given,
                outputs=_OUTPUTS + declare_main_output(name),
                stage_in=stage_in,
                stage_out=stage_out,
                needs=TOOLS.get(name, ()),
                failure=FAILURES.get(name, "transform"),
            ),
            parameters=struct,
            function=lambda step: run_step(step, name, function, msgspec.structs.asdict(step.params)),
        )
    )


def _declare_by_recipe(
    purpose: Purpose,
    name: str,
    function: StepFunction,
    config: type,
    settable: dict[str, tuple[Any, Any]],
    entry: str | None = None,
) -> None:
    """Declare an entry that runs FINN's step `name`, or another recipe where the network needs one."""
    read = find_fields_read(function, list(inspect.signature(function).parameters)[1], config, frozenset(settable))
    struct = recipe_parameters(purpose, parameters_struct(name, read, settable))
    more = "; thresholds are layers of their own, as RTL needs them" if entry else ""
    stage_in, stage_out = STAGES[name]

    def run(step: Step[Any]) -> None:
        values = msgspec.structs.asdict(step.params)
        recipe, own = values.pop("recipe"), tuple(values.pop("transformations"))
        rows: list[dict[str, str]] = []

        def change(model: Any, cfg: Any) -> Any:
            model, choice = run_by_recipe(model, cfg, purpose, recipe, own)
            step.record({"recipe": choice.recipe})
            rows.extend(make_rows(purpose, choice))
            return model

        run_step(step, name, change, values)
        step.record({"summary": [*step.facts.get("summary", ()), *rows]})

    registry.add(
        Entry(
            description=EntryDescription(
                name=entry or purpose,
                summary=f"{name}, or a recipe for networks with branches, chosen by what the network contains{more}",
                parameters=describe_parameters(struct),
                inputs=_FLOW_INPUTS,
                outputs=_OUTPUTS,
                stage_in=stage_in,
                stage_out=stage_out,
                failure=FAILURES.get(name, "transform"),
            ),
            parameters=struct,
            function=run,
        )
    )


_SOURCE = Input(
    "source",
    kind="tree",
    required=False,
    source="config",
    help="folder with the module, unless it is part of FINN",
    media_type=CODE,
)


declare_coverage(registry)


class CustomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `custom`."""

    function: Annotated[str, parameter("module:function in `source`: a step function (model, cfg) -> model")]
    synth_clk_period_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    fpga_part: Annotated[Part | None, parameter("FPGA part", default_from="target.part")] = None
    board: Annotated[str | None, parameter("board", default_from="target.board")] = None
    target_fps: Annotated[int | None, parameter("inferences/s to reach", default_from="target.target_fps")] = None
    config: Annotated[dict[str, Any], parameter("other fields of DataflowBuildConfig")] = {}


@registry.entry(
    "custom",
    summary="the user's own step function",
    parameters=CustomParameters,
    inputs=(*_FLOW_INPUTS, _SOURCE),
    outputs=_OUTPUTS,
    failure="transform",
)
def custom(step: Step[CustomParameters]) -> None:
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


@registry.entry(
    "reference",
    summary="compute in Python what the hardware must compute for given frames, in integers",
    parameters=ReferenceParameters,
    inputs=(
        Input(
            "model",
            kind="file",
            help="the accelerator's model, at a stage that Python can execute",
            media_type="application/x-onnx",
        ),
        Input("host", kind="tree", required=False, help="what the host computes before and after it"),
        Input(
            "samples",
            kind="file",
            required=False,
            help="npz from the entry samples",
        ),
    ),
    outputs=(Output("reference", kind="tree"),),
    failure="transform",
)
def reference(step: Step[ReferenceParameters]) -> None:
    """Execute the model for all frames."""
    out = step.output("reference")
    out.mkdir()
    model, host, samples = step.required_input("model"), step.input("host"), step.input("samples")
    step.record(make_reference(model, host, samples, step.params.random_frames, out))


@registry.entry(
    "split_host",
    summary="leave leading and trailing nodes to the host, if integer hardware cannot compute them",
    inputs=_FLOW_INPUTS,
    outputs=(*_OUTPUTS, Output("host", kind="tree", help="head.onnx, tail.onnx, host.json")),
    stage_in=("finn",),
    stage_out="finn",
    failure="transform",
)
def split(step: Step[msgspec.Struct]) -> None:
    """Split the model and list the host's nodes in the summary."""
    host = step.output("host")
    host.mkdir()
    rows: list[dict[str, str]] = []

    def cut(model: Any, _: Any) -> Any:
        body, found = split_host(model, host)
        for nodes, where in ((found.head, "before the accelerator"), (found.tail, "after the accelerator")):
            rows.extend(
                {"label": "on the host", "value": f"{node.kind} {node.name}", "note": where} for node in nodes
            )
        return body

    run_step(step, "split_host", cut, {})
    step.record({"summary": rows})


@registry.entry(
    "prefer",
    summary="prefer RTL or HLS for each layer, and widen one-bit weights for RTL",
    parameters=PreferenceParameters,
    inputs=_FLOW_INPUTS,
    outputs=_OUTPUTS,
    stage_in=("hwgraph",),
    stage_out="hwgraph",
    failure="transform",
)
def preferences(step: Step[PreferenceParameters]) -> None:
    """Set the preferences; list widened weights, and who implements the layers, in the summary.

    Raises StepFailure (kernel) for layers without RTL, if it is required.
    """
    widened: list[str] = []
    chosen: list[Selection] = []

    part = part_for_finn(step.params.fpga_part)

    def change(model: Any, _: Any) -> Any:
        widened.extend(prefer(model, step.params))
        if step.params.require_rtl and part is not None:
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


def _refuse_specialized(path: Path) -> None:
    """Raise StepFailure (config) for a specialized layer: its backend simulates it, Python cannot execute it."""
    from qonnx.core.modelwrapper import ModelWrapper

    for node in ModelWrapper(str(path)).graph.node:
        if node.domain.endswith(_BACKENDS):
            raise StepFailure(
                category="config",
                message=f"{node.name} ({node.op_type}) is specialized for a backend, so Python cannot execute it",
                hint="evaluate before step_specialize_layers",
            )


declare_rounding(registry, _FLOW_INPUTS, _OUTPUTS)
declare_evaluate(
    registry,
    stages=("qonnx", "finn", "hwgraph"),
    summary="evaluate the network at this stage: accuracy, and agreement with the stage before",
    by="finn-plus",
    refuse=_refuse_specialized,
)


def insert(step: Step[StreamParameters]) -> None:
    """Insert width converters and FIFOs."""
    values = {"fpga_part": step.params.fpga_part}
    config = step.input("fifo_config")
    run_step(step, "insert_streams", lambda model, _: insert_streams(model, step.params, config), values)


def rtl_stitch(step: Step[msgspec.Struct]) -> None:
    """Stitch the layers into one design."""
    from qonnx.core.modelwrapper import ModelWrapper

    model_path, _, _ = unpack_inputs(step)
    out = step.output("rtl")
    out.mkdir()
    design = stitch(ModelWrapper(str(model_path)), out)
    step.record({"layers": list(design.layers), "fifos": len(design.fifos), "sources": len(design.sources)})


def expect(step: Step[ExpectationParameters]) -> None:
    """Compute what every stream carries, for the first frames of the reference."""
    from qonnx.core.modelwrapper import ModelWrapper

    out = step.output("expected")
    out.mkdir()
    model = ModelWrapper(str(step.required_input("model")))
    frames = write_expectations(model, step.required_input("reference"), step.params.frames, out)
    step.record({"frames": frames})


def _declare_open_flow() -> None:
    """Declare the entries if the RTL library has the edits of image.toml, without which open tools cannot read it."""
    if not is_library_edited():
        return
    registry.entry(
        "insert_streams",
        summary="insert width converters and FIFOs between RTL layers, for rtl-stitch",
        parameters=StreamParameters,
        inputs=(
            *_FLOW_INPUTS,
            Input(
                "fifo_config",
                kind="file",
                required=False,
                help="a depth for each FIFO, from size_fifos or FINN",
                media_type="application/json",
            ),
        ),
        outputs=_OUTPUTS,
        stage_in=("hwgraph", "estimates"),
        stage_out="hwgraph",
        failure="kernel",
    )(insert)
    registry.entry(
        "expect",
        summary="compute in Python what every stream carries, so that a simulation can name a layer that differs",
        parameters=ExpectationParameters,
        inputs=(_FLOW_INPUTS[0], Input("reference", kind="tree", help="frames, and what Python computes from them")),
        outputs=(Output("expected", kind="tree"),),
        stage_in=("hwgraph",),
        failure="transform",
    )(expect)
    registry.entry(
        "rtl-stitch",
        summary="stitch a graph of RTL layers into one self-contained design: sources, memories, top, streams",
        inputs=_FLOW_INPUTS,
        outputs=(Output("rtl", kind="tree"),),
        stage_in=("rtl",),
        stage_out="rtl",
        failure="kernel",
    )(rtl_stitch)


def _declare_all() -> None:
    load()
    config: type = importlib.import_module("finn.builder.build_dataflow_config").DataflowBuildConfig
    steps: dict[str, StepFunction] = importlib.import_module(
        "finn.builder.build_dataflow_steps"
    ).build_dataflow_step_lookup
    registry.boards = dict(importlib.import_module("finn.util.basic").part_map) | list_board_parts()
    settable = settable_fields(config)
    steps = {**steps, **find_library_steps(steps)}
    for name in sorted(steps):
        _declare(name, steps[name], config, settable)
    _declare_by_recipe("streamline", "step_streamline", steps["step_streamline"], config, settable)
    _declare_by_recipe("convert_to_hw", "step_convert_to_hw", steps["step_convert_to_hw"], config, settable)
    _declare_open_flow()
    if is_library_edited():
        separate = settable | {"standalone_thresholds": (bool, True)}
        convert = steps["step_convert_to_hw"]
        _declare_by_recipe("convert_to_hw", "step_convert_to_hw", convert, config, separate, "convert_to_rtl")


_declare_all()
