"""Register the library's layers with FINN+ 1.6.1: its registry, its selection, its folding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from finn.custom_op.fpgadataflow import rtl
from finn.transformation.fpgadataflow import set_folding, specialize_layers, transpose_decomposition
from finn.util.logging import log
from qonnx.custom_op.registry import getCustomOp

from bskernel_executors.open_rtl.dot_products import DOT_PRODUCT_LAYERS
from bskernel_executors.open_rtl.elementwise import ELEMENTWISE_LAYERS
from bskernel_executors.open_rtl.layer import OpenLayer
from bskernel_executors.open_rtl.pools import POOL_LAYERS
from bskernel_executors.open_rtl.shuffles import ShuffleLayer, take_shuffles
from bskernel_executors.open_rtl.streams import STREAM_LAYERS

_ALL: tuple[type[OpenLayer], ...] = (
    *DOT_PRODUCT_LAYERS, *STREAM_LAYERS, ShuffleLayer, *POOL_LAYERS, *ELEMENTWISE_LAYERS,
)  # fmt: skip
LAYERS = {layer.operator: layer for layer in _ALL}
_DOMAIN = "finn.custom_op.fpgadataflow.rtl"
_RTL, _HLS = "_rtl", "_hls"


def find_refusal(layer: Any) -> str | None:
    """Return why the library cannot implement a layer of a known operator, or None."""
    return LAYERS[layer.onnx_node.op_type].find_refusal(layer)


# FINN's own selection, before register() replaces it.
select_by_finn: Callable[..., str] = specialize_layers._determine_impl_style


def _select_with_library(select: Callable[..., str]) -> Callable[..., str]:
    """Select the library's layer where RTL is preferred and it can be had; otherwise what FINN selects without it.

    FINN's own selection knows no integers of Elementwise layers, and without a preference takes any RTL there is.
    """

    def select_style(node: Any, fpgapart: str, model: Any) -> str:
        layer = getCustomOp(node)
        if node.op_type not in LAYERS or layer.get_nodeattr("preferred_impl_style") != "rtl":
            return select(node, fpgapart, model)
        made = LAYERS[node.op_type]
        if made.is_finn_preferred(node, fpgapart, model):
            return "rtl"
        refusal = made.find_refusal(layer)
        if refusal is None:
            made.mark(node)
            return "rtl"
        log.warning(f"{node.name}: there is no RTL for it, because {refusal}")
        return select(node, fpgapart, model)

    return select_style


def _fold_with_library(fold: Callable[..., Any]) -> Callable[..., Any]:
    """Fold the library's layers as FINN folds those in HLS, whose names its folding lists."""

    def rename(model: Any, old: str, new: str) -> None:
        for node in model.graph.node:
            name = node.op_type.removesuffix(old)
            known = node.domain == _DOMAIN and node.op_type == name + old and name in LAYERS
            if known and isinstance(getCustomOp(node), OpenLayer):  # FINN's own layers for floats stay
                node.op_type = name + new

    def apply(self: Any, model: Any) -> Any:
        rename(model, _RTL, _HLS)
        folded, again = fold(self, model)
        rename(folded, _HLS, _RTL)
        return folded, again

    return apply


def register() -> None:
    """Make FINN+ 1.6.1 know the library's layers, in this process."""
    specialize_layers.rtl_variants = dict(rtl.custom_op)  # FINN's selection goes on without the library
    for operator, layer in LAYERS.items():
        rtl.custom_op[operator + _RTL] = layer
        rtl.custom_op[operator + _HLS] = layer  # the name while FINN folds
    specialize_layers._determine_impl_style = _select_with_library(select_by_finn)
    set_folding.SetFolding.apply = _fold_with_library(set_folding.SetFolding.apply)
    for part in (transpose_decomposition.ShuffleDecomposition, transpose_decomposition.InferInnerOuterShuffles):
        part.apply = take_shuffles(part.apply)
