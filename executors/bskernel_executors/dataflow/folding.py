"""Which attribute of a layer says how much is computed at once, and what it must divide."""

from __future__ import annotations

from collections.abc import Mapping

# Operator (without _hls, _rtl) -> (folding attribute, the attribute that it must divide), as FINN's operators demand.
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
# Of these the cycles per frame are inversely proportional to each factor.
PROPORTIONAL = frozenset({"MVAU", "VVAU", "Thresholding", "FMPadding", "ChannelwiseOp", "AddStreams"})
# How many elements of the first input and of the output one cycle carries: the product of these attributes.
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


def operator_of(op_type: str) -> str:
    """The operator without its backend: MVAU of MVAU_rtl."""
    return op_type.removesuffix("_hls").removesuffix("_rtl")


def next_divisor(of: int, value: int) -> int | None:
    """The smallest divisor of `of` that is above `value`, or None."""
    return next((divisor for divisor in range(value + 1, of + 1) if of % divisor == 0), None)
