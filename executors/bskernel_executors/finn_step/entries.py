"""One entry for each step that the installed FINN+ knows, and `custom` for a user's own."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel_executors.finn_step.executable import refuse_backends
from bskernel_executors.finn_step.folding import is_unfolded, layers_of, violations
from bskernel_executors.finn_step.hint_values import hint_values
from bskernel_executors.finn_step.host_split import split_host
from bskernel_executors.finn_step.library import load
from bskernel_executors.finn_step.open_flow import (
    PreferenceParameters,
    StreamParameters,
    insert_streams,
    library_is_mended,
    prefer,
    stitch,
)
from bskernel_executors.finn_step.parameters import FILES, make_config, parameters_struct, settable_fields
from bskernel_executors.finn_step.reference import ReferenceParameters, make_reference
from bskernel_executors.finn_step.stages import FAILURES, PRODUCTS, STAGES, TOOLS
from bskernel_executors.finn_step.tool_logs import tool_log
from bskernel_executors.quality.entry import declare_evaluate
from bskernel_executors.sdk import Entry, Input, Output, Registry, Step, StepFailure, parameter
from bskernel_executors.sdk.parameters import describe_parameters
from bskernel_executors.sdk.reads import fields_read
from bskernel_executors.sdk.relocation import relocate_model, relocate_tree
from bskernel_executors.sdk.rules_file import load_rules
from bskernel_executors.sdk.tools import preloaded
from bskernel_executors.sdk.user_code import load_function

StepFunction = Callable[[Any, Any], Any]
_FOLD = frozenset({"step_apply_folding_config", "step_target_fps_parallelization"})
TOKEN = "/@bskernel-finn@"  # noqa: S105 - a placeholder path, not a secret
_NAMED = 5  # files that a warning names
_PART = re.compile(r"xc[0-9a-z]{2,9}-?[a-z]{3,4}[0-9]{3,4}(-[0-9a-z]+)+", re.IGNORECASE)
registry = Registry(
    executor="finn-step",
    summary="FINN+'s build steps, one at a time",
    rules=load_rules(Path(__file__).with_name("rules.toml")),
)
_OUTPUTS = (
    Output("model", kind="file", media_type="application/x-onnx"),
    Output("output", kind="tree", help="FINN's output directory, as it has grown"),
    Output("state", kind="tree", help="FINN_BUILD_DIR, as it has grown; relocatable"),
)
_FLOW_INPUTS = (
    Input("model", kind="file"),
    Input("output", kind="tree", required=False),
    Input("state", kind="tree", required=False),
)
_FILE_INPUTS = {
    name: Input(name, kind="file", required=False, help=f"DataflowBuildConfig.{field}", source="config")
    for field, name in FILES.items()
}


def _lay_out(step: Step[Any]) -> tuple[Path, Path, Path]:
    """Model, output directory and build directory in work/, with this machine's paths in place of the token."""
    root = str(step.work)
    model, output, state = (step.work / name for name in ("model.onnx", "output", "state"))
    relocate_model(step.required_input("model"), model, TOKEN, root)
    for name, path in (("output", output), ("state", state)):
        given = step.input(name)
        if given is None:
            path.mkdir()
        else:
            relocate_tree(given, path, TOKEN, root)
    (output / "report").mkdir(exist_ok=True)
    os.environ["FINN_BUILD_DIR"] = str(state)
    os.environ["NUM_DEFAULT_WORKERS"] = "1"
    return model, output, state


def _settings() -> None:
    """Initialise the settings that FINN+ 1.6.1 keeps its directories in; 1.4.0 reads the environment alone."""
    if importlib.util.find_spec("finn.util.settings") is not None:
        settings = importlib.import_module("finn.util.settings")
        if hasattr(settings, "initialize_dummy_settings"):
            settings.initialize_dummy_settings()


def _check_target(values: dict[str, Any]) -> None:
    """FINN's estimates take any text for a part: one that AMD does not make is refused here."""
    part, board = values.get("fpga_part"), values.get("board")
    if part is not None and not _PART.fullmatch(part):
        raise StepFailure(
            category="config",
            message=f"target.part {part!r} is not the name of an AMD part with its package and speed grade",
            hint='such as "xczu7ev-ffvc1156-2-e" or "xc7z020clg400-1"',
        )
    boards = importlib.import_module("finn.util.basic").part_map
    if board is not None and board not in boards:
        raise StepFailure(
            category="config",
            message=f"target.board {board!r} is not one that FINN knows",
            hint=f"boards: {', '.join(sorted(boards))}; or give target.part",
        )


def _check_folding(name: str, model: Any) -> list[str]:
    """Warnings about the folding. Raises StepFailure (config) when no hardware can have it."""
    layers = layers_of(model)
    wrong = violations(layers)
    if wrong:
        raise StepFailure(
            category="config",
            message=f"{name}: {wrong[0]}",
            cause=wrong[1:],
            hint="change PE and SIMD in the folding config",
        )
    if name == "step_apply_folding_config" and is_unfolded(layers):
        return ["every layer has PE = SIMD = 1, the slowest: raise target.target_fps, or give a folding_config"]
    return []


def _without_binaries(files: tuple[Path, ...]) -> list[str]:
    """Leave out of FINN's build folder what tools wrote of a path of this machine in their own forms."""
    for path in files:
        path.unlink()
    if not files:
        return []
    names = ", ".join(sorted({path.name for path in files})[:_NAMED])
    return [f"{len(files)} binary files with a path of this machine are left out of `state`: {names}"]


def run_step(step: Step[Any], name: str, function: StepFunction, values: dict[str, Any]) -> None:
    """Call one FINN step function and write what it leaves behind."""
    from finn.builder import build_dataflow_config
    from qonnx.core.modelwrapper import ModelWrapper

    model_path, output, state = _lay_out(step)
    _settings()
    if name in TOOLS:
        os.environ.update(preloaded())
    files = {field: path for field, name in FILES.items() if (path := step.input(name)) is not None}
    product = build_dataflow_config.DataflowOutputType
    outputs = [product.ESTIMATE_REPORTS, *map(product, PRODUCTS.get(name, ()))]
    config = make_config(build_dataflow_config.DataflowBuildConfig, values, files, output, outputs)
    _check_target(values)
    before = ModelWrapper(str(model_path))
    nodes = len(before.graph.node)
    step.about(**hint_values(before))
    try:
        after = function(before, config)
    except Exception as error:
        log = tool_log(error, state) if name in TOOLS else None
        if log is not None:
            # What is printed here is in the step's log, by which the failure is decided.
            print(log.text)
            if log.cause is not None:
                raise StepFailure(message=f"{name}: {log.cause.text}") from error
        raise
    if not isinstance(after, ModelWrapper):
        raise StepFailure(message=f"{name} returned a {type(after).__name__}, not a model")
    warnings = _check_folding(name, after) if name in _FOLD else []
    after.save(str(model_path))
    root = str(step.work)
    relocate_model(model_path, step.output("model"), root, TOKEN)
    relocate_tree(output, step.output("output"), root, TOKEN)
    warnings += _without_binaries(relocate_tree(state, step.output("state"), root, TOKEN))
    step.record(
        {
            "nodes_before": nodes,
            "nodes_after": len(after.graph.node),
            "summary": [{"label": "warning", "value": text, "note": name} for text in warnings],
        }
    )


def _declare(name: str, function: StepFunction, config: type, settable: dict[str, tuple[Any, Any]]) -> None:
    parameter_names = list(inspect.signature(function).parameters)
    read = fields_read(function, parameter_names[1], config, frozenset(settable) | FILES.keys())
    struct = parameters_struct(name, read, settable)
    stage_in, stage_out = STAGES.get(name, ((), None))
    lines = (inspect.getdoc(function) or "").strip().splitlines()
    registry.add(
        Entry(
            description=EntryDescription(
                name=name,
                summary=lines[0] if lines else "a step of FINN+",
                parameters=describe_parameters(struct),
                inputs=_FLOW_INPUTS + tuple(_FILE_INPUTS[FILES[field]] for field in sorted(read & FILES.keys())),
                outputs=_OUTPUTS,
                stage_in=stage_in,
                stage_out=stage_out,
                needs=TOOLS.get(name, ()),
                failure=FAILURES.get(name, "transform"),
            ),
            parameters=struct,
            function=lambda step: run_step(step, name, function, msgspec.structs.asdict(step.params)),
        )
    )


_SOURCE = Input(
    "source", kind="tree", required=False, source="config", help="folder with the module, if FINN does not have it"
)


class CustomParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `custom`."""

    function: Annotated[str, parameter("module:function of a step function (model, cfg) -> model in `source`")]
    synth_clk_period_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    fpga_part: Annotated[str | None, parameter("FPGA part", default_from="target.part")] = None
    board: Annotated[str | None, parameter("board", default_from="target.board")] = None
    target_fps: Annotated[int | None, parameter("wanted inferences/s", default_from="target.target_fps")] = None
    config: Annotated[dict[str, Any], parameter("other fields of DataflowBuildConfig")] = {}


@registry.entry(
    "custom",
    summary="a step function of the user's own",
    parameters=CustomParameters,
    inputs=(*_FLOW_INPUTS, _SOURCE),
    outputs=_OUTPUTS,
    failure="transform",
)
def custom(step: Step[CustomParameters]) -> None:
    """Run a user's step function; every field of the configuration that a build may set is readable."""
    from finn.builder.build_dataflow_config import DataflowBuildConfig

    function = load_function(step.params.function, step.input("source"))
    settable = settable_fields(DataflowBuildConfig)
    own = msgspec.structs.asdict(step.params)
    values = {key: default for key, (_, default) in settable.items() if default is not msgspec.NODEFAULT}
    for key in step.params.config:
        if key not in settable:
            raise StepFailure(category="config", message=f"config.{key}: FINN's configuration has no such field")
    values |= {key: own[key] for key in ("synth_clk_period_ns", "fpga_part", "board", "target_fps")}
    run_step(step, step.params.function, function, values | step.params.config)


@registry.entry(
    "reference",
    summary="what Python makes of given frames: integers in, integers out, for comparison with the hardware",
    parameters=ReferenceParameters,
    inputs=(
        Input("model", kind="file", help="what the accelerator computes, in a form that Python executes"),
        Input("host", kind="tree", required=False, help="what the host computes before and after it"),
        Input(
            "samples",
            kind="file",
            required=False,
            help="npz that the step samples writes",
        ),
    ),
    outputs=(Output("reference", kind="tree"),),
    failure="transform",
)
def reference(step: Step[ReferenceParameters]) -> None:
    """Execute the model."""
    out = step.output("reference")
    out.mkdir()
    model, host, samples = step.required_input("model"), step.input("host"), step.input("samples")
    step.record(make_reference(model, host, samples, step.params.random_frames, out))


@registry.entry(
    "split_host",
    summary="leave to the host what hardware of integers does not compute: leading and trailing nodes",
    inputs=_FLOW_INPUTS,
    outputs=(*_OUTPUTS, Output("host", kind="tree", help="head.onnx, tail.onnx, host.json")),
    stage_in=("finn",),
    stage_out="finn",
    failure="transform",
)
def split(step: Step[msgspec.Struct]) -> None:
    """Split the model."""
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
    summary="which layers are to be RTL and which HLS; weights of one bit are widened for RTL",
    parameters=PreferenceParameters,
    inputs=_FLOW_INPUTS,
    outputs=_OUTPUTS,
    stage_in=("hwgraph",),
    stage_out="hwgraph",
    failure="transform",
)
def preferences(step: Step[PreferenceParameters]) -> None:
    """Set the preferences."""
    widened: list[str] = []

    def change(model: Any, _: Any) -> Any:
        widened.extend(prefer(model, step.params))
        return model

    run_step(step, "prefer", change, {})
    rows = [{"label": "widened", "value": f"weights of {name}", "note": "BIPOLAR to INT2"} for name in widened]
    step.record({"summary": rows})


declare_evaluate(
    registry,
    stages=("qonnx", "finn", "hwgraph"),
    summary="judge the network at this stage: accuracy, and whether it computes what the stage before did",
    by="finn-plus",
    refuse=refuse_backends,
)


def insert(step: Step[StreamParameters]) -> None:
    """Insert them."""
    values = {"fpga_part": step.params.fpga_part}
    config = step.input("fifo_config")
    run_step(step, "insert_streams", lambda model, _: insert_streams(model, step.params, config), values)


def rtl_stitch(step: Step[msgspec.Struct]) -> None:
    """Stitch the layers together."""
    from qonnx.core.modelwrapper import ModelWrapper

    model_path, _, _ = _lay_out(step)
    _settings()
    out = step.output("rtl")
    out.mkdir()
    design = stitch(ModelWrapper(str(model_path)), out)
    step.record({"layers": list(design.layers), "fifos": len(design.fifos), "sources": len(design.sources)})


def _declare_open_flow() -> None:
    """Only where the RTL library is the one that the open tools can read, and that loses no results."""
    if not library_is_mended():
        return
    registry.entry(
        "insert_streams",
        summary="width converters and FIFOs between RTL layers, for rtl-stitch",
        parameters=StreamParameters,
        inputs=(
            *_FLOW_INPUTS,
            Input(
                "fifo_config", kind="file", required=False, help="a depth for each FIFO, as size_fifos and FINN write"
            ),
        ),
        outputs=_OUTPUTS,
        stage_in=("hwgraph", "estimates"),
        stage_out="hwgraph",
        failure="kernel",
    )(insert)
    registry.entry(
        "rtl-stitch",
        summary="one self-contained design of a chain of RTL layers: sources, memories, top, stream description",
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
    settable = settable_fields(config)
    for name in sorted(steps):
        _declare(name, steps[name], config, settable)

    _declare_open_flow()


_declare_all()
