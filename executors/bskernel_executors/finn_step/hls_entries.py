"""The entries that synthesise each different HLS layer once: split the layers, run Vitis HLS on one, join the IPs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel_executors.exchange.file_tree import write_files
from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.hls_layer import (
    PROJECT,
    HlsIp,
    find_name,
    name_by_content,
    read_code,
    read_ip,
    write_ip,
)
from bskernel_executors.finn_step.known_reads import StepReads
from bskernel_executors.finn_step.known_steps import FAILURES, STAGES, TOOLS
from bskernel_executors.finn_step.parameters import parameters_struct
from bskernel_executors.finn_step.paths import DEPENDENCIES, WORK, find_places, set_environment
from bskernel_executors.finn_step.step_call import StepFunction, remove_binaries, run_step
from bskernel_executors.finn_step.tool_steps import call_with_tools, check_headers, write_makers
from bskernel_executors.sdk import Entry, Input, Output, Registry, Step, StepFailure
from bskernel_executors.sdk.guarded_config import Settable
from bskernel_executors.sdk.parameters import describe_parameters
from bskernel_executors.sdk.relocation import Moves, moves_from_here, moves_to_here, relocate_files, relocate_tree
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports.redaction import redact_tree

_STEP = "step_hw_ipgen"  # of FINN's, which these entries are in place of
_LOOP = "FINNLoop"
_LAYER = "layer"  # folder of a layer's code in the scratch folder
_STATE = f"{WORK}/state"
_REPORT = "estimate_layer_resources_hls.json"
_DATABASES = ".autopilot"  # of Vitis HLS, in a solution: large, full of paths, and read by nothing but itself
_HINT = f"use finn-step:{_STEP} in place of these steps"


def _find_hls_nodes(model: Any) -> list[Any]:
    """Find the nodes that Vitis HLS is to make an IP of. Raises StepFailure (config) for what is no such layer."""
    from finn.util.fpgadataflow import is_hls_node
    from qonnx.custom_op.registry import getCustomOp

    loop = next((node.name for node in model.graph.node if node.op_type == _LOOP), None)
    if loop is not None:
        raise StepFailure(category="config", message=f"{loop} is a loop of layers, not one layer", hint=_HINT)
    return [node for node in model.graph.node if is_hls_node(node) and not getCustomOp(node).get_nodeattr("ip_path")]


def split_layers(step: Step[msgspec.Struct]) -> None:
    """Write a folder for each HLS layer: the code that Vitis HLS reads, without the layer's name."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.custom_op.registry import getCustomOp

    layers = step.output("hls_layers")
    layers.mkdir()
    state = step.input("state")
    names = set()
    nodes = _find_hls_nodes(ModelWrapper(str(step.required_input("model"))))
    for node in nodes:
        given = str(getCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
        try:
            if state is None or not given.startswith(f"{_STATE}/"):
                raise FileNotFoundError(given)
            code = read_code(state / given.removeprefix(f"{_STATE}/"), node.name)
        except FileNotFoundError as error:
            raise StepFailure(
                category="config",
                message=f"{node.name} has no generated code: {error} is missing",
                hint="run step_hw_codegen first, and take its model and state",
            ) from error
        moves = [(given, f"{WORK}/{_LAYER}")]
        write_files(layers / node.name, name_by_content(code, node.name, node.op_type, moves))
        names.add(find_name(layers / node.name))
    step.record({"layers": len(nodes), "different": len(names)})


def synthesize_layer(step: Step[msgspec.Struct]) -> None:
    """Run Vitis HLS on one layer. Raises StepFailure."""
    from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend

    os.environ.update(preload_libudev())
    set_environment(step, step.work)
    places = find_places(step)
    folder = step.work / _LAYER
    relocate_tree(step.required_input("layer"), folder, moves_to_here(places))
    name = find_name(folder)
    whole = step.name.partition(".")[0]  # without the item
    check_headers(step, _STEP, whole)
    attributes = {"code_gen_dir_ipgen": str(folder)}
    # FINN's method reads these of a node and nothing else, and it knows how each version of Vitis HLS is called.
    layer = SimpleNamespace(
        onnx_node=SimpleNamespace(name=name), get_nodeattr=attributes.get, set_nodeattr=attributes.__setitem__
    )
    step.progress(f"synthesising {name}")
    call_with_tools(step, _STEP, lambda: HLSBackend.ipgen_singlenode_code(layer), folder)
    shutil.rmtree(folder / f"project_{name}" / "sol1" / _DATABASES, ignore_errors=True)
    ip = step.output("hls_ip")
    left = relocate_tree(folder / f"project_{name}", ip / PROJECT, moves_from_here(places))
    warnings = remove_binaries(left, "hls_ip")
    redact_tree(ip)
    write_ip(ip, HlsIp(name=name, tool=step.tools.get("vitis_hls", "").rpartition(" ")[0] or None))
    step.record({"name": name, "summary": [{"label": "warning", "value": text, "note": _STEP} for text in warnings]})


def _place(model: Any, ips: Path, moves: Moves) -> HlsIp | None:
    """Put the layers' IPs where FINN looks for them, and note them in the model; returns one of them.

    Raises StepFailure (config) for a layer without an IP.
    """
    from qonnx.custom_op.registry import getCustomOp

    first: dict[str, str] = {}  # name of an IP -> its folder, the same for all layers that are equal
    ip = None
    for node in _find_hls_nodes(model):
        if not (ips / node.name).is_dir():
            raise StepFailure(
                category="config",
                message=f"there is no IP of {node.name}",
                hint="take the IPs that synthesize_hls_layer made of the layers of the same model",
            )
        ip = read_ip(ips / node.name)
        instance = getCustomOp(node)
        code = Path(instance.get_nodeattr("code_gen_dir_ipgen"))
        project = code / f"project_{node.name}"
        was, now = f"{WORK}/{_LAYER}", f"{_STATE}/{code.name}"
        renamed = [(f"{was}/project_{ip.name}", f"{now}/{project.name}"), (was, now)]
        relocate_tree(ips / node.name / PROJECT, project, renamed)
        relocate_files(project, moves)
        report = project / "sol1" / "syn" / "report" / f"{ip.name}_csynth.xml"
        if report.is_file() and ip.name != node.name:
            shutil.copyfile(report, report.with_name(f"{node.name}_csynth.xml"))
        first.setdefault(ip.name, str(project / "sol1" / "impl" / "ip"))
        instance.set_nodeattr("ipgen_path", str(project))
        instance.set_nodeattr("ip_path", first[ip.name])
        instance.set_nodeattr("ip_vlnv", f"xilinx.com:hls:{ip.name}:1.0")
    return ip


def _declare_join(registry: Registry, function: StepFunction, reads: StepReads, settable: Settable) -> None:
    struct = parameters_struct(_STEP, frozenset(reads.fields), settable)

    def run(step: Step[Any]) -> None:
        def join(model: Any, cfg: Any) -> Any:
            ip = _place(model, step.required_input("hls_ip"), moves_to_here(find_places(step)))
            after = function(model, cfg)  # finds all IPs, so that it only reports on them
            if ip is not None and ip.tool is not None:
                write_makers(step.work / "output", {_REPORT: ip.tool})
            return after

        run_step(step, "join_hls_layers", join, msgspec.structs.asdict(step.params))

    registry.add(
        Entry(
            description=EntryDescription(
                name="join_hls_layers",
                summary="put the IPs of HLS layers into model and state, where FINN's step_hw_ipgen leaves them",
                parameters=describe_parameters(struct),
                inputs=(*FLOW_INPUTS, Input("hls_ip", kind="tree", help="a folder for each HLS layer, with its IP")),
                outputs=FLOW_OUTPUTS,
                stage_in=STAGES[_STEP][0],
                stage_out=STAGES[_STEP][1],
                failure=FAILURES[_STEP],
            ),
            parameters=struct,
            function=run,
        )
    )


def declare_hls_layers(registry: Registry, function: StepFunction, reads: StepReads, settable: Settable) -> None:
    """Declare the entries; `function` is FINN's step_hw_ipgen."""
    registry.entry(
        "split_hls_layers",
        summary="a folder for each HLS layer, with its code; folders of equal layers are equal",
        inputs=(FLOW_INPUTS[0], FLOW_INPUTS[2]),
        outputs=(Output("hls_layers", kind="tree", help="empty without HLS layers"),),
        stage_in=STAGES[_STEP][0],
        failure=FAILURES[_STEP],
    )(split_layers)
    registry.entry(
        "synthesize_hls_layer",
        summary="synthesise one HLS layer with Vitis HLS",
        inputs=(
            Input("layer", kind="tree", help="one folder of the layers from split_hls_layers"),
            Input(
                DEPENDENCIES,
                kind="tree",
                required=False,
                help="FINN+'s downloaded dependencies: finn-hlslib",
                source="config",
            ),
        ),
        outputs=(Output("hls_ip", kind="tree"),),
        needs=TOOLS[_STEP],
        failure=FAILURES[_STEP],
    )(synthesize_layer)
    _declare_join(registry, function, reads, settable)
