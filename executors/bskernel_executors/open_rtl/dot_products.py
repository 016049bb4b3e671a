"""Layers that multiply by weights: the matrix unit and the depthwise unit, with weights inside the layer."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from finn.custom_op.fpgadataflow.hls.matrixvectoractivation_hls import MVAU_hls
from finn.custom_op.fpgadataflow.hls.vectorvectoractivation_hls import VVAU_hls
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU
from finn.custom_op.fpgadataflow.rtl.matrixvectoractivation_rtl import MVAU_rtl
from finn.custom_op.fpgadataflow.rtl.vectorvectoractivation_rtl import VVAU_rtl
from finn.custom_op.fpgadataflow.vectorvectoractivation import VVAU
from finn.transformation.fpgadataflow import specialize_layers
from onnx import helper

from bskernel_executors.open_rtl.layer import OpenLayer, find_kind, write_memory
from bskernel_executors.open_rtl.streams import connect
from bskernel_executors.open_rtl.wrapper import Value, write_core

_MARK = "open_rtl"
_MEMORY = "weights.dat"
_INSIDE = "internal_decoupled"


class DotProductLayer(OpenLayer):
    """Sums of products with constant weights. FINN has RTL of the same name, which stays where it is selected."""

    sources = ("bsk_register.sv", "bsk_extend.sv", "bsk_dot_product.sv")
    finn_layer: ClassVar[type]  # FINN's RTL
    hls_layer: ClassVar[type]  # FINN's HLS, of which the estimates are
    is_shared: ClassVar[bool]  # all sums take the same input

    def __new__(cls, node: Any, **options: Any) -> Any:
        """Make the library's layer of a marked node, and FINN's of any other."""
        is_marked = any(attribute.name == _MARK for attribute in node.attribute)
        return object.__new__(cls) if is_marked else cls.finn_layer(node, **options)

    @classmethod
    def mark(cls, node: Any) -> None:
        """Mark a node as the library's; FINN copies attributes when it specialises layers."""
        node.attribute.append(helper.make_attribute(_MARK, 1))

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse what is no integer, thresholds inside the layer, and weights that come from outside."""
        if not layer.get_nodeattr("noActivation"):
            return "it contains thresholds: set standalone_thresholds = true"
        if layer.get_nodeattr("mem_mode") != _INSIDE:
            return f"its mem_mode is {layer.get_nodeattr('mem_mode')}, but it must be {_INSIDE}"
        if layer.get_nodeattr("runtime_writeable_weights"):
            return "its weights are writable at run time"
        types = {"inputs": layer.get_input_datatype(0), "weights": layer.get_input_datatype(1)}
        types["sums"] = layer.get_output_datatype()
        wrong = next(
            (f"its {what} are {given.name}" for what, given in types.items() if not given.is_integer()), None
        )
        return None if wrong is None else f"{wrong}, but it multiplies integers"

    @abstractmethod
    def list_weights(self, model: Any) -> Any:
        """Return the weights of shape (sums, products of a sum)."""

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of a stream. Weights have none: the layer contains them."""
        return 0 if ind else int(super().get_instream_width(ind))

    def _counts_equal_bits(self) -> bool:
        """Return whether both types are bits that stand for -1 and 1; then FINN counts equal ones."""
        return {self.get_input_datatype(at).name for at in (0, 1)} == {"BIPOLAR"}

    def write_body(self, model: Any, folder: Path) -> str:
        """Return the instance of bsk_dot_product, and write its weights in the order of use."""
        values = self.list_weights(model)
        pe, simd = int(self.get_nodeattr("PE")), int(self.get_nodeattr("SIMD"))
        rows, folds = values.shape[0] // pe, values.shape[1] // simd
        words = values.reshape(rows, pe, folds, simd).transpose(0, 2, 1, 3).reshape(rows * folds, pe * simd)
        given, weights = self.get_input_datatype(0), self.get_input_datatype(1)
        write_memory(folder / _MEMORY, words, weights)
        parameters: dict[str, Value] = {"PE": pe, "SIMD": simd, "FOLDS": folds, "ROWS": rows}
        parameters |= {"SHARED": int(self.is_shared), "IN_BITS": given.bitwidth(), "IN_KIND": find_kind(given)}
        parameters |= {"WEIGHT_BITS": weights.bitwidth(), "WEIGHT_KIND": find_kind(weights)}
        parameters |= {"AGREE": int(self._counts_equal_bits()), "OUT_BITS": self.get_output_datatype().bitwidth()}
        parameters |= {"INIT_FILE": str(folder / _MEMORY), "RAM_STYLE": str(self.get_nodeattr("ram_style"))}
        ports = connect("in0") | connect("out0")
        return write_core("bsk_dot_product", parameters, ports)

    def lut_estimation(self, fpgapart: str) -> Any:
        """Estimate LUTs as FINN does for the same layer in HLS."""
        return self.hls_layer.lut_estimation(self, fpgapart)  # type: ignore[attr-defined]

    def dsp_estimation(self, fpgapart: str) -> Any:
        """Estimate DSPs as FINN does for the same layer in HLS."""
        return self.hls_layer.dsp_estimation(self, fpgapart)  # type: ignore[attr-defined]


class MatrixLayer(DotProductLayer, MVAU):  # type: ignore[misc]
    """The matrix unit for what FINN's, which is made for DSPs, does not take: single bits, unsigned weights."""

    operator = "MVAU"
    finn_layer, hls_layer, is_shared = MVAU_rtl, MVAU_hls, True

    @classmethod
    def is_finn_preferred(cls, node: Any, fpgapart: str, model: Any) -> bool:
        """Prefer FINN's unit, which packs several products into a DSP."""
        return bool(specialize_layers._mvu_rtl_possible(node, fpgapart, model))

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Also refuse FINN's tiling."""
        if layer.get_nodeattr("TH") > 1:
            return f"it is tiled (TH = {layer.get_nodeattr('TH')})"
        return super().find_refusal(layer)

    def _counts_equal_bits(self) -> bool:
        return bool(self.get_nodeattr("binaryXnorMode")) or super()._counts_equal_bits()

    def list_weights(self, model: Any) -> Any:
        """Return the transposed matrix."""
        return model.get_initializer(self.onnx_node.input[1]).T


class DepthwiseLayer(DotProductLayer, VVAU):  # type: ignore[misc]
    """The depthwise unit. FINN's needs a DSP58, which only Versal has."""

    operator = "VVAU"
    finn_layer, hls_layer, is_shared = VVAU_rtl, VVAU_hls, False

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Also refuse bits that stand for -1 and 1: FINN's execution reads them as 0 and 1."""
        if layer.get_nodeattr("binaryXnorMode"):
            return "it is in binaryXnorMode, which FINN's execution of VVAU does not know"
        return super().find_refusal(layer)

    def list_weights(self, model: Any) -> Any:
        """Return the kernels, of shape (channels, height * width)."""
        kernel = math.prod(self.get_nodeattr("Kernel"))
        return model.get_initializer(self.onnx_node.input[1]).reshape(int(self.get_nodeattr("Channels")), kernel)


DOT_PRODUCT_LAYERS: tuple[type[DotProductLayer], ...] = (MatrixLayer, DepthwiseLayer)
