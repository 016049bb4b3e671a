"""FINN's operators: which nodes are hardware, what each folding attribute must divide, what a cycle carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARDWARE_DOMAIN = "finn.custom_op.fpgadataflow"

# Operator (without _hls, _rtl) -> (folding attribute, attribute that it must divide), as FINN's operators require.
DIVIDES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "MVAU": (("PE", "MH"), ("SIMD", "MW")),
    "VVAU": (("PE", "Channels"),),
    "Thresholding": (("PE", "NumChannels"),),
    "ConvolutionInputGenerator": (("SIMD", "IFMChannels"),),
    "FMPadding": (("SIMD", "NumChannels"),),
    "AddStreams": (("PE", "NumChannels"),),
    "ChannelwiseOp": (("PE", "NumChannels"),),
    "DuplicateStreams": (("PE", "NumChannels"),),
    "GlobalAccPool": (("PE", "NumChannels"),),
    "Pool": (("PE", "Channels"),),
    "StreamingMaxPool": (("PE", "NumChannels"),),
    "LabelSelect": (("PE", "Labels"),),
}
# Operators whose cycles per frame are inversely proportional to each folding attribute.
PROPORTIONAL = frozenset({"MVAU", "VVAU", "Thresholding", "FMPadding", "ChannelwiseOp", "AddStreams"})
# The elements of the first input and of the output that one cycle carries: the product of these attributes.
CARRIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "MVAU": (("SIMD",), ("PE",)),
    "VVAU": (("SIMD", "PE"), ("PE",)),
    "Thresholding": (("PE",), ("PE",)),
    "ConvolutionInputGenerator": (("SIMD",), ("SIMD",)),
    "FMPadding": (("SIMD",), ("SIMD",)),
    "AddStreams": (("PE",), ("PE",)),
    "ChannelwiseOp": (("PE",), ("PE",)),
    "Pool": (("PE",), ("PE",)),
}


def is_hardware(node: Any) -> bool:
    """Return whether an ONNX node is one of FINN's hardware layers."""
    domain = str(node.domain)
    return domain == HARDWARE_DOMAIN or domain.startswith(f"{HARDWARE_DOMAIN}.")


def operator_of(op_type: str) -> str:
    """Return the operator without its backend, e.g. MVAU for MVAU_rtl."""
    return op_type.removesuffix("_hls").removesuffix("_rtl")


def next_divisor(of: int, value: int) -> int | None:
    """Return the smallest divisor of `of` above `value`, or None."""
    return next((divisor for divisor in range(value + 1, of + 1) if of % divisor == 0), None)
