"""The entries of the qonnx-transform executor."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Annotated, Any

import msgspec

from bskernel_executors.dataflow.widths import WIDEST
from bskernel_executors.exchange.adaptation import write_adaptation
from bskernel_executors.qonnx_transform import analyses
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model, make_summary
from bskernel_executors.qonnx_transform.adaptation.batch import set_input_size
from bskernel_executors.qonnx_transform.adaptation.mends import MendName
from bskernel_executors.qonnx_transform.adaptation.quantization import check_quantization, check_widths
from bskernel_executors.qonnx_transform.checks import check_model, read_model
from bskernel_executors.qonnx_transform.samples import SamplesParameters, write_step_samples
from bskernel_executors.qonnx_transform.stage import STAGES, Stage, detect_stage, require_stage
from bskernel_executors.qonnx_transform.transformations import TransformSpec, make_transformation
from bskernel_executors.quality.entry import declare_evaluate
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter
from bskernel_executors.sdk.deferred_imports import deferred_imports
from bskernel_executors.sdk.qonnx_shortcuts import SELDOM_USED, install_shortcuts

install_shortcuts()
with deferred_imports(SELDOM_USED):
    for _name in ("qonnx.core.onnx_exec", "qonnx.custom_op.general", "qonnx.util.cleanup"):
        importlib.import_module(_name)  # before the server forks, or every step would import it again

registry = Registry(
    executor="qonnx-transform",
    summary="checks, cleans up, transforms and analyses QONNX models",
    reuses_processes=True,
)
_IN = (Input("model", kind="file", help="ONNX or QONNX model", media_type="application/x-onnx"),)
_OUT = (Output("model", kind="file", media_type="application/x-onnx"),)


class InputChecks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model's first input must be."""

    input_shape: Annotated[tuple[int, ...] | None, parameter("required shape of the model's first input")] = None
    input_datatype: Annotated[str | None, parameter("required QONNX data type of the first input, e.g. UINT4")] = None


class AdaptParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `adapt`."""

    skip: Annotated[tuple[MendName, ...], parameter("mends to leave out, by name")] = ()
    override_input_size: Annotated[tuple[int, ...] | None, parameter("new shape of the first input")] = None
    input_datatype: Annotated[
        str | None,
        parameter("QONNX data type of the first input's whole numbers, if the model does not say it: UINT8"),
    ] = None
    max_multithreshold_bit_width: Annotated[
        int, parameter("widest activation before a layer, as for step_qonnx_to_finn", unit="bits")
    ] = WIDEST


class CleanupParameters(InputChecks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `cleanup`."""

    extract_conv_bias: Annotated[bool, parameter("turn biases of convolutions into separate nodes")] = False
    preserve_qnt_ops: Annotated[bool, parameter("keep quantizers when folding constants")] = True
    override_input_size: Annotated[tuple[int, ...] | None, parameter("new shape of the first input")] = None


class TransformParameters(InputChecks, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `transform`."""

    transforms: Annotated[
        tuple[str | TransformSpec, ...],
        parameter("transformations in order: short or dotted names, or tables with `name` and `args`"),
    ]


class StageParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `check_stage`."""

    stages: Annotated[tuple[Stage, ...], parameter("accepted stages")]
    starts: Annotated[dict[str, str], parameter("stage -> step of the flow that takes it, for the hint")] = {}


def count_nodes(model: Any) -> dict[str, int]:
    """Count the model's nodes by operator."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))


def _write(step: Step[Any], model: Any) -> None:
    step.output("model").write_bytes(model.model.SerializeToString(deterministic=True))


@registry.entry(
    "adapt",
    summary="mend what exporters write in ways that qonnx and FINN do not read, and say what was changed",
    parameters=AdaptParameters,
    inputs=(
        *_IN,
        Input(
            "external_data",
            kind="tree",
            required=False,
            source="config",
            help="folder with the files of external data that the model names, if they are not beside it",
        ),
    ),
    outputs=(
        *_OUT,
        Output("adaptation", kind="file", media_type="application/json", help="what was changed, and why"),
    ),
    stage_in=("onnx", "qonnx"),
    failure="model_load",
)
def adapt(step: Step[AdaptParameters]) -> None:
    """Mend a user's model."""
    params = step.params
    model = read_model(step.required_input("model"), step.input("external_data"), untrusted=True).model
    adaptation = adapt_model(
        model, skip=params.skip, input_size=params.override_input_size, input_datatype=params.input_datatype
    )
    warnings = [*check_quantization(model), *check_widths(model, params.max_multithreshold_bit_width)]
    step.output("model").write_bytes(model.SerializeToString(deterministic=True))
    write_adaptation(adaptation, step.output("adaptation"))
    step.record({"changes": len(adaptation.changes), "summary": [*make_summary(adaptation), *warnings]})


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

    model = read_model(step.required_input("model"), untrusted=True)
    before = count_nodes(model)
    params = step.params
    if params.override_input_size is not None:
        set_input_size(model.model, params.override_input_size)
    model = cleanup_model(model, preserve_qnt_ops=params.preserve_qnt_ops, extract_conv_bias=params.extract_conv_bias)
    check_model(model, params.input_shape, params.input_datatype)
    _write(step, model)
    step.record({"transforms": [{"name": "cleanup", "before": before, "after": count_nodes(model)}]})


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
    made = [
        (item if isinstance(item, str) else item.name, make_transformation(item)) for item in step.params.transforms
    ]
    records = []
    for name, transformation in made:
        step.progress(name)
        before = count_nodes(model)
        model = model.transform(transformation)
        records.append({"name": name, "before": before, "after": count_nodes(model)})
    _write(step, model)
    step.record({"transforms": records})


@registry.entry(
    "check_stage",
    summary="detect a model's stage, and fail unless it is an accepted one",
    parameters=StageParameters,
    inputs=(*_IN, Input("state", kind="tree", required=False, help="generated code, for a model at rtl")),
    failure="model_load",
    checks_stages=STAGES,
)
def check_stage(step: Step[StageParameters]) -> None:
    """Check the stage and record the evidence."""
    found = detect_stage(read_model(step.required_input("model")).graph, step.input("state"))
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
    summary="frames to evaluate the network with: from npz, npy or images, or drawn at random",
    parameters=SamplesParameters,
    inputs=(
        Input("model", kind="file", help="model whose input the frames must fit", media_type="application/x-onnx"),
        Input(
            "samples",
            kind="any",
            required=False,
            source="config",
            default_from="quality.samples",
            help="npz with inputs and optional labels; npy; folder with inputs.npy or with images by class",
        ),
        Input(
            "labels",
            kind="file",
            required=False,
            source="config",
            default_from="quality.labels",
            help="npy with a class number per frame, for samples without labels",
        ),
    ),
    outputs=(Output("samples", kind="file", help="npz: inputs (float32, frames first), labels, classes"),),
    failure="config",
)
def samples(step: Step[SamplesParameters]) -> None:
    """Read, scale and write the samples, or draw them."""
    write_step_samples(step)


declare_evaluate(
    registry,
    stages=("onnx", "qonnx"),
    summary="evaluate the network at this stage: accuracy, and agreement with the stage before",
    by="qonnx",
)
analyses.declare(registry)
