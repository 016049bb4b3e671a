"""The entries of the qonnx-transform executor."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import msgspec
import qonnx.core.onnx_exec
import qonnx.util.cleanup  # noqa: F401 - imported before the server forks: every step would import it anew

from bskernel_executors.qonnx_transform import analyses
from bskernel_executors.qonnx_transform.checks import check_model, read_model
from bskernel_executors.qonnx_transform.find import Wanted, make
from bskernel_executors.qonnx_transform.samples import SamplesParameters
from bskernel_executors.qonnx_transform.samples import make as make_samples
from bskernel_executors.qonnx_transform.stage import STAGES, Stage, find_stage, require_stage
from bskernel_executors.quality.entry import declare_evaluate
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter

registry = Registry(executor="qonnx-transform", summary="checks, cleans up, transforms and analyses QONNX models")
_IN = (Input("model", kind="file", help="an ONNX or QONNX model"),)
_OUT = (Output("model", kind="file", media_type="application/x-onnx"),)


class Checks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model must take."""

    input_shape: Annotated[tuple[int, ...] | None, parameter("shape that the model's first input must have")] = None
    input_datatype: Annotated[str | None, parameter("QONNX data type that it must have, e.g. UINT4")] = None


class CleanupParameters(Checks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `cleanup`."""

    extract_conv_bias: Annotated[bool, parameter("make biases of convolutions nodes of their own")] = False
    preserve_qnt_ops: Annotated[bool, parameter("keep quantizers when constants are folded")] = True
    override_input_size: Annotated[tuple[int, ...] | None, parameter("shape to give the first input")] = None


class TransformParameters(Checks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `transform`."""

    transforms: Annotated[
        tuple[str | Wanted, ...], parameter("names, or tables with `name` and `args`, short or dotted, in order")
    ]


class StageParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `check_stage`."""

    stages: Annotated[tuple[Stage, ...], parameter("stages that are right")]
    starts: Annotated[dict[str, str], parameter("stage -> the flow's step to begin with instead")] = {}


def node_counts(model: Any) -> dict[str, int]:
    """How many nodes of each operator the model has."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))


def _write(step: Step[Any], model: Any) -> None:
    step.output("model").write_bytes(model.model.SerializeToString(deterministic=True))


@registry.entry(
    "cleanup",
    summary="qonnx.util.cleanup: fold constants, infer shapes and data types, give readable names",
    parameters=CleanupParameters,
    inputs=_IN,
    outputs=_OUT,
    stage_in=("onnx", "qonnx"),
    stage_out="qonnx",
    failure="preprocessing",
)
def cleanup(step: Step[CleanupParameters]) -> None:
    """Clean a model up."""
    from qonnx.util.cleanup import cleanup_model

    model = read_model(step.required_input("model"))
    before = node_counts(model)
    params = step.params
    size = None if params.override_input_size is None else str(list(params.override_input_size))
    model = cleanup_model(
        model,
        preserve_qnt_ops=params.preserve_qnt_ops,
        override_inpsize=size,
        extract_conv_bias=params.extract_conv_bias,
    )
    check_model(model, params.input_shape, params.input_datatype)
    _write(step, model)
    step.record({"transforms": [{"name": "cleanup", "before": before, "after": node_counts(model)}]})


@registry.entry(
    "transform",
    summary="any QONNX transformations, by name, in order",
    parameters=TransformParameters,
    inputs=_IN,
    outputs=_OUT,
    failure="preprocessing",
)
def transform(step: Step[TransformParameters]) -> None:
    """Apply transformations and record each one's node counts."""
    model = read_model(step.required_input("model"))
    check_model(model, step.params.input_shape, step.params.input_datatype)
    made = [(item if isinstance(item, str) else item.name, make(item)) for item in step.params.transforms]
    records = []
    for name, transformation in made:
        step.progress(name)
        before = node_counts(model)
        model = model.transform(transformation)
        records.append({"name": name, "before": before, "after": node_counts(model)})
    _write(step, model)
    step.record({"transforms": records})


@registry.entry(
    "check_stage",
    summary="tells at which stage a model is, and fails unless it is at one of the given",
    parameters=StageParameters,
    inputs=(*_IN, Input("state", kind="tree", required=False, help="generated code, which a model at rtl needs")),
    failure="model_load",
    checks_stages=STAGES,
)
def check_stage(step: Step[StageParameters]) -> None:
    """Check the stage and record what tells it."""
    found = find_stage(read_model(step.required_input("model")).graph, step.input("state"))
    require_stage(found, step.params.stages, step.params.starts)
    note = "; ".join(found.evidence)
    step.record(
        {
            "stages": list(found.stages),
            "evidence": list(found.evidence),
            "summary": [{"label": "model's stage", "value": " or ".join(found.stages), "note": note}],
        }
    )


@registry.entry(
    "samples",
    summary="frames to judge the network by, in one form: from npz, npy or images, or drawn where none are given",
    parameters=SamplesParameters,
    inputs=(
        Input("model", kind="file", help="whose input the frames fit"),
        Input(
            "samples",
            kind="any",
            required=False,
            source="config",
            default_from="quality.samples",
            help="npz with inputs and perhaps labels; npy; folder with inputs.npy, or one of images for each class",
        ),
        Input(
            "labels",
            kind="file",
            required=False,
            source="config",
            default_from="quality.labels",
            help="npy with a class number for each frame, for samples that have none",
        ),
    ),
    outputs=(Output("samples", kind="file", help="npz: inputs (float32, frames first), labels, classes"),),
    failure="config",
)
def samples(step: Step[SamplesParameters]) -> None:
    """Make them."""
    make_samples(step)


declare_evaluate(
    registry,
    stages=("onnx", "qonnx"),
    summary="judge the network at this stage: accuracy, and whether it computes what the stage before did",
    by="qonnx",
)
analyses.declare(registry)
