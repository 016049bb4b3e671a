"""Detect the stage of a model from its nodes, data type annotations and generated code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from bskernel_executors.dataflow.operators import HARDWARE_DOMAIN, is_hardware
from bskernel_executors.sdk import StepFailure

Stage: TypeAlias = Literal["onnx", "qonnx", "finn", "hwgraph", "estimates", "rtl"]
STAGES: tuple[str, ...] = get_args(Stage)
_QUANTIZERS = frozenset({"Quant", "BipolarQuant", "Trunc", "IntQuant", "FloatQuant"})
# Brevitas exports quantizers under its own domain; old exports call qonnx's domain finn.custom_op.general.
_QONNX = ("qonnx.custom_op", "onnx.brevitas", "finn.custom_op.general")
_PARTITION = "StreamingDataflowPartition"
_FOLDS = ("PE", "SIMD")


class StageDetection(msgspec.Struct, frozen=True, kw_only=True):
    """The stages that a model may be at (none if no known stage fits), and the evidence."""

    stages: tuple[str, ...]
    evidence: tuple[str, ...]


def _in(domain: str, *prefixes: str) -> bool:
    return any(domain == prefix or domain.startswith(f"{prefix}.") for prefix in prefixes)


def _counted(nodes: list[Any]) -> tuple[str, ...]:
    counts = Counter((node.op_type, node.domain or "ONNX itself") for node in nodes)
    return tuple(
        f"{count} {kind} {'node' if count == 1 else 'nodes'} of {domain}"
        for (kind, domain), count in sorted(counts.items())
    )


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _label(node: Any, at: int, nodes: list[Any]) -> str:
    """The node's name, or one that tells it from the others: FINN's older graphs have nodes without names."""
    unique = node.name and sum(other.name == node.name for other in nodes) == 1
    return str(node.name) if unique else f"{node.name or node.op_type} (layer {at + 1})"


def _integer_annotations(graph: Any) -> int:
    values = [
        entry.value
        for annotation in graph.quantization_annotation
        for entry in annotation.quant_parameter_tensor_names
        if entry.key == "finn_datatype"
    ]
    return sum(not value.startswith("FLOAT") for value in values)


def detect_stage(graph: Any, state: Path | None) -> StageDetection:
    """Detect the stage of an ONNX graph. `state` is the tree of generated code, which a model at rtl needs."""
    nodes = list(graph.node)
    hardware = [node for node in nodes if is_hardware(node)]
    quantizers = [node for node in nodes if _in(node.domain, *_QONNX) and node.op_type in _QUANTIZERS]
    strange = [node for node in nodes if not _in(node.domain or "ai.onnx", "ai.onnx", *_QONNX, HARDWARE_DOMAIN)]
    if strange:
        return StageDetection(stages=(), evidence=_counted(strange))
    if hardware and quantizers:
        return StageDetection(stages=(), evidence=(*_counted(quantizers), *_counted(hardware)))
    if hardware:
        return _hardware_stage(hardware, state)
    if quantizers:
        return StageDetection(stages=("qonnx",), evidence=_counted(quantizers))
    thresholds = [node for node in nodes if node.op_type == "MultiThreshold"]
    annotations = _integer_annotations(graph)
    standard = all(_in(node.domain or "ai.onnx", "ai.onnx") for node in nodes)
    evidence = _counted(thresholds) if thresholds else _counted([node for node in nodes if _in(node.domain, *_QONNX)])
    if annotations:
        evidence += (f"{annotations} tensors annotated with an integer data type",)
    stages = (("onnx",) if standard else ()) + (("finn",) if thresholds or annotations else ())
    none = ("no quantizer", "no hardware layer")
    return StageDetection(
        stages=stages, evidence=(*evidence, *(("only nodes of ONNX itself",) if standard else ()), *none)
    )


def _hardware_stage(layers: list[Any], state: Path | None) -> StageDetection:
    evidence = _counted(layers)
    if any(node.op_type == _PARTITION for node in layers):
        return StageDetection(
            stages=(), evidence=(*evidence, "the layers are in another model, that of the partition")
        )
    general = [node for node in layers if not node.op_type.endswith(("_hls", "_rtl"))]
    if general:
        return StageDetection(
            stages=("hwgraph",), evidence=(*evidence, f"{len(general)} not specialised to HLS or RTL")
        )
    evidence += ("all specialised to HLS or RTL",)
    attributes = {_label(node, at, layers): _attributes(node) for at, node in enumerate(layers)}
    folders = {name: values.get("code_gen_dir_ipgen") or b"" for name, values in attributes.items()}
    without = [name for name, folder in folders.items() if not folder]
    if len(without) < len(layers):
        return _generated_stage(evidence, folders, without, state)
    folded = [name for name, values in attributes.items() if any(values.get(fold, 1) > 1 for fold in _FOLDS)]
    counted = [name for name, values in attributes.items() if values.get("cycles_estimate", 0) > 0]
    if not folded and not counted:
        return StageDetection(
            stages=("hwgraph",), evidence=(*evidence, "PE = SIMD = 1 and no cycles estimated: not folded")
        )
    how = f"{len(folded)} with PE or SIMD above 1, {len(counted)} with an estimate of cycles"
    return StageDetection(stages=("hwgraph", "estimates"), evidence=(*evidence, how))


def _generated_stage(
    evidence: tuple[str, ...], folders: dict[str, bytes], without: list[str], state: Path | None
) -> StageDetection:
    """Check for stage rtl: every layer has code, and the code is in the state tree."""
    if without:
        return StageDetection(
            stages=(), evidence=(*evidence, f"no code_gen_dir_ipgen on {', '.join(without)}, but on others")
        )
    evidence += (f"code_gen_dir_ipgen set on all {len(folders)}",)
    if state is None:
        return StageDetection(stages=(), evidence=(*evidence, "no state tree with their code is given (input state)"))
    names = {name: Path(folder.decode("utf-8", "replace")).name for name, folder in folders.items()}
    missing = [f"{folder} of {name}" for name, folder in names.items() if not (state / folder).is_dir()]
    if missing:
        return StageDetection(stages=(), evidence=(*evidence, f"not in the state tree: {', '.join(missing)}"))
    return StageDetection(stages=("rtl",), evidence=(*evidence, "their code is in the state tree"))


def require_stage(found: StageDetection, wanted: Sequence[str], starts: dict[str, str]) -> None:
    """Raise StepFailure (model_load) unless the model may be at one of the wanted stages."""
    if set(found.stages) & set(wanted):
        return
    is_at = f"at stage {' or '.join(found.stages)}" if found.stages else "at no stage that a step takes"
    begins = [f"--from {starts[stage]} (takes {stage})" for stage in found.stages if stage in starts]
    if begins:
        hint = f"begin with {' or '.join(begins)}"
    elif found.stages:
        hint = "this flow has no step that takes a model at this stage"
    else:
        hint = "give a model that a step of a build has written, with its trees"
    raise StepFailure(
        category="model_load",
        message=f"the model is {is_at}, not at {' or '.join(wanted)}: {'; '.join(found.evidence)}",
        hint=hint,
    )
