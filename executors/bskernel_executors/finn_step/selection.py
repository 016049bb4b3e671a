"""Which implementation each layer gets in the open flow, and why a layer gets none. One table, one function.

The table: what the library of open_rtl implements, FINN's own RTL, and what has neither.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from bskernel_executors.dataflow.widths import find_smallest_type
from bskernel_executors.sdk import StepFailure

Implementation: TypeAlias = Literal["FINN", "bskernel", "none"]
_REGISTRATION = "bskernel_executors.open_rtl.registration"
_SELECTION = "finn.transformation.fpgadataflow.specialize_layers"
_LATER = frozenset({"Shuffle"})  # FINN takes these apart after the selection
_THRESHOLDS = "standalone_thresholds"

# What to change, by a word of the reason.
_REMEDIES = {
    _THRESHOLDS: "take step convert_to_rtl in place of convert_to_hw, or set standalone_thresholds = true",
    "mem_mode": "leave mem_mode out of the folding file",
    "writable": "leave runtime_writeable_weights out of the folding file",
    "its thresholds need": "let its data type have as many bits as its thresholds need",
    "FLOAT": "quantize its input, or move it to the network's end, where the host computes it",
    "hls": "remove it from `layers` of step prefer",
    "equal ones": "split the channels into equal parts",
    "AvgPool": "use TruncAvgPool2d of Brevitas, or a sum (GlobalAccPool) with the division after it",
}
_REMEDY = "move it to the network's end, where the host computes it, or take flow estimate or codegen"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What implements one layer in the open flow."""

    layer: str
    operator: str
    implementation: Implementation
    reason: str = ""  # why there is none: a clause

    @property
    def remedy(self) -> str:
        """What to change if there is no implementation."""
        return next((text for word, text in _REMEDIES.items() if word in self.reason), _REMEDY)


def find_wide_output(datatype: str, bits: int, steps: int, bias: int) -> str | None:
    """Return why FINN's RTL for thresholds is wrong for an output of `bits`, or None.

    The core makes as many bits as the integers from `bias` to `bias + steps` need, whatever the stream has.
    """
    high = bias + steps
    fitting, needed = find_smallest_type(bias, high)
    if bits == needed:
        return None
    return (
        f"its output is {datatype}, but its thresholds need {fitting} for {bias} to {high}, and FINN+'s RTL makes no "
        "other bits"
    )


def _find_wide_thresholds(layer: Any) -> str | None:
    datatype = layer.get_output_datatype()
    steps, bias = layer.get_nodeattr("numSteps"), layer.get_nodeattr("ActVal")
    return find_wide_output(datatype.name, datatype.bitwidth(), steps, bias)


def select(model: Any, node: Any, fpga_part: str) -> Selection:
    """Select what implements a layer of the hardware graph, as FINN's SpecializeLayers will."""
    from qonnx.custom_op.registry import getCustomOp

    registration, finn = importlib.import_module(_REGISTRATION), importlib.import_module(_SELECTION)
    layer, operator = getCustomOp(node), node.op_type

    def found(implementation: Implementation, reason: str = "") -> Selection:
        return Selection(layer=node.name, operator=operator, implementation=implementation, reason=reason)

    if operator in _LATER:
        return found("FINN")
    if layer.get_nodeattr("preferred_impl_style") == "hls":
        return found("none", "step prefer asks for hls")
    if operator == "Thresholding" and (wide := _find_wide_thresholds(layer)) is not None:
        return found("none", wide)
    own = registration.LAYERS.get(operator)
    if own is None:
        if f"{operator}_rtl" not in finn.rtl_variants:
            return found("none", "FINN+ has it in HLS only, and bskernel has no RTL for it")
        try:
            style = registration.select_by_finn(node, fpga_part, model)
        except Exception as error:  # noqa: BLE001 - FINN raises plain exceptions for parts without the DSP
            return found("none", " ".join(str(error).split()))
        return found("FINN") if style == "rtl" else found("none", f"FINN+'s RTL does not take it on {fpga_part}")
    if own.is_finn_preferred(node, fpga_part, model):
        return found("FINN")
    if operator == "StreamingSplit" and len(parts := set(layer.get_nodeattr("ChannelsPerStream"))) > 1:
        sizes = " and ".join(map(str, sorted(parts)))
        return found("none", f"its outputs have {sizes} channels, but FINN+ puts FIFOs behind equal ones only")
    refusal = own.find_refusal(layer)
    return found("bskernel") if refusal is None else found("none", refusal)


def refuse_unimplemented(selections: Sequence[Selection]) -> StepFailure | None:
    """Make the failure for layers that the open flow cannot implement, with every layer and its reason."""
    missing = [item for item in selections if item.implementation == "none"]
    if not missing:
        return None
    lines = [f"{item.layer} ({item.operator}): {item.reason}" for item in missing]
    count = f"{len(missing)} of {len(selections)} layers have" if len(missing) > 1 else "a layer has"
    return StepFailure(
        category="kernel",
        message=f"{count} no RTL: {lines[0]}",
        cause=tuple(lines[1:]),
        hint="; ".join(dict.fromkeys(item.remedy for item in missing)),
    )


def make_selection_rows(selections: Sequence[Selection]) -> list[dict[str, str]]:
    """Make the rows of the summary: the layers by who implements them."""
    rows = []
    for implementation, name in (("FINN", "FINN+'s RTL"), ("bskernel", "bskernel's RTL"), ("none", "HLS")):
        counts = Counter(item.operator for item in selections if item.implementation == implementation)
        if counts:
            value = ", ".join(f"{count} x {kind}" for kind, count in sorted(counts.items()))
            rows.append({"label": name, "value": value, "note": "prefer"})
    return rows
