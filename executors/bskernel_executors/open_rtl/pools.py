"""Layers that reduce many values to few: pools, sums over an image, the greatest scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.globalaccpool import GlobalAccPool
from finn.custom_op.fpgadataflow.labelselect import LabelSelect
from finn.custom_op.fpgadataflow.pool import Pool

from bskernel_executors.open_rtl.layer import (
    BIPOLAR,
    UNSIGNED,
    OpenLayer,
    Range,
    Resources,
    count_bits,
    find_bounds,
    find_kind,
)
from bskernel_executors.open_rtl.resources import count_global_pool, count_label_select, count_pool
from bskernel_executors.open_rtl.streams import connect
from bskernel_executors.open_rtl.wrapper import Value, write_core


def _find_order(datatype: Any) -> int:
    """Return how bits are read where only the order of values counts: -1 and 1 order as 0 and 1 do."""
    kind = find_kind(datatype)
    return UNSIGNED if kind == BIPOLAR else kind


def find_shift(in_bits: int, out_bits: int, window: int) -> int:
    """Return the bits by which FINN's execution of QuantAvgPool shifts a sum of `window` values."""
    return max(0, (window * ((1 << in_bits) - 1)).bit_length() - out_bits)


def _refuse_range(found: Range, datatype: Any) -> str | None:
    low, high = find_bounds(datatype)
    if datatype.name == "BIPOLAR" or found[0] < low or found[1] > high:
        return f"its result can be {found[0]} to {found[1]}, which {datatype.name} cannot hold"
    return None


class PoolLayer(OpenLayer, Pool):  # type: ignore[misc]
    """A pool over the windows that a depthwise sliding window delivers: per fold of channels, all its positions."""

    operator = "Pool"
    sources = ("bsk_register.sv", "bsk_extend.sv", "bsk_pool.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse averages that are fractions, sums of what is no integer, and sums that do not fit."""
        function, datatype = layer.get_nodeattr("Function"), layer.get_input_datatype()
        if function == "AvgPool":
            return "AvgPool gives fractions in FINN's execution: QuantAvgPool and AccPool give integers"
        if function == "MaxPool":
            name = datatype.name
            return f"it compares {name}, which is no integer" if name.startswith("FLOAT") else None
        if not datatype.is_integer():
            return f"it sums {datatype.name}, which is no integer"
        window = math.prod(layer.get_nodeattr("KernelSize"))
        low, high = (window * bound for bound in find_bounds(datatype))
        shift = cls._find_shift(layer)
        return _refuse_range((low >> shift, high >> shift), layer.get_output_datatype())

    @staticmethod
    def _find_shift(layer: Any) -> int:
        if layer.get_nodeattr("Function") != "QuantAvgPool":
            return 0
        bits = (layer.get_input_datatype().bitwidth(), layer.get_output_datatype().bitwidth())
        return find_shift(*bits, math.prod(layer.get_nodeattr("KernelSize")))

    @property
    def _is_max(self) -> bool:
        return bool(self.get_nodeattr("Function") == "MaxPool")

    def _count_bits(self) -> int:
        """Count the bits of a signed number that holds every value and every sum."""
        if self._is_max:
            return int(self.get_input_datatype().bitwidth()) + 1
        window = math.prod(self.get_nodeattr("KernelSize"))
        low, high = (window * bound for bound in find_bounds(self.get_input_datatype()))
        return max(count_bits(low, high), int(self.get_output_datatype().bitwidth()))

    def estimate(self) -> Resources:
        """Estimate a comparison or a sum per lane, and a register slice."""
        lanes, width = int(self.get_nodeattr("PE")), int(self.get_outstream_width())
        return Resources(lut=count_pool(lanes, self._count_bits() - 1, width, is_max=self._is_max))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_pool."""
        datatype, window = self.get_input_datatype(), math.prod(self.get_nodeattr("KernelSize"))
        is_max = self._is_max
        kind = _find_order(datatype) if is_max else find_kind(datatype)
        parameters: dict[str, Value] = {
            "OP": "MAX" if is_max else "SUM",
            "PE": int(self.get_nodeattr("PE")),
            "WINDOW": window,
            "IN_BITS": datatype.bitwidth(),
            "IN_KIND": kind,
            "BITS": self._count_bits(),
            "SHIFT": self._find_shift(self),
            "OUT_BITS": self.get_output_datatype().bitwidth(),
        }
        ports = connect("in0") | connect("out0")
        return write_core("bsk_pool", parameters, ports)


class GlobalPoolLayer(OpenLayer, GlobalAccPool):  # type: ignore[misc]
    """The sum of all pixels of an image, per channel."""

    operator = "GlobalAccPool"
    sources = ("bsk_register.sv", "bsk_extend.sv", "bsk_global_pool.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse what is no integer or no image, and sums that do not fit."""
        vectors = [int(size) for size in layer.get_nodeattr("numInputVectors")]
        datatype = layer.get_input_datatype()
        if len(vectors) != 3:
            return f"its numInputVectors are {vectors}, but the layer takes images: [batch, height, width]"
        if not datatype.is_integer():
            return f"it sums {datatype.name}, which is no integer"
        low, high = (vectors[1] * vectors[2] * bound for bound in find_bounds(datatype))
        return _refuse_range((low, high), layer.get_output_datatype())

    def get_exp_cycles(self) -> int:
        """Return the cycles per frame: its beats. The sums leave while the last pixel enters."""
        return math.prod(map(int, self.get_folded_input_shape()[:-1]))

    def estimate(self) -> Resources:
        """Estimate an adder, the sums and a register slice."""
        folds = int(self.get_folded_input_shape()[-2])
        return Resources(lut=count_global_pool(int(self.get_outstream_width()), folds))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_global_pool."""
        _, height, width, folds, pe = map(int, self.get_folded_input_shape())
        parameters: dict[str, Value] = {
            "PE": pe,
            "FOLDS": folds,
            "PIXELS": height * width,
            "IN_BITS": self.get_input_datatype().bitwidth(),
            "IN_KIND": find_kind(self.get_input_datatype()),
            "OUT_BITS": self.get_output_datatype().bitwidth(),
        }
        ports = connect("in0") | connect("out0")
        return write_core("bsk_global_pool", parameters, ports)


class LabelLayer(OpenLayer, LabelSelect):  # type: ignore[misc]
    """The indices of the K greatest values."""

    operator = "LabelSelect"
    sources = ("bsk_register.sv", "bsk_label_select.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse floats, more labels than there are, and indices that do not fit."""
        name, labels = layer.get_input_datatype().name, int(layer.get_nodeattr("Labels"))
        if name.startswith("FLOAT"):
            return f"it compares {name}, which is no integer"
        if layer.get_nodeattr("K") > labels:
            return f"it selects K = {layer.get_nodeattr('K')} of {labels} labels"
        return _refuse_range((0, labels - 1), layer.get_output_datatype())

    def get_exp_cycles(self) -> int:
        """Return the cycles per frame: those of the input or of the output, whichever are more."""
        vectors = math.prod(map(int, self.get_nodeattr("numInputVectors")))
        beats = int(self.get_nodeattr("Labels")) // int(self.get_nodeattr("PE"))
        return vectors * max(beats, int(self.get_nodeattr("K")))

    def estimate(self) -> Resources:
        """Estimate K cells and a register slice."""
        lanes, k = int(self.get_nodeattr("PE")), int(self.get_nodeattr("K"))
        index = max(1, (int(self.get_nodeattr("Labels")) - 1).bit_length())
        key = 1 + self.get_input_datatype().bitwidth() + index
        return Resources(lut=count_label_select(lanes, k, key, index))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_label_select."""
        datatype = self.get_input_datatype()
        parameters: dict[str, Value] = {
            "LABELS": int(self.get_nodeattr("Labels")),
            "PE": int(self.get_nodeattr("PE")),
            "K": int(self.get_nodeattr("K")),
            "IN_BITS": datatype.bitwidth(),
            "IS_SIGNED": _find_order(datatype),
            "OUT_BITS": self.get_output_datatype().bitwidth(),
        }
        ports = connect("in0") | connect("out0")
        return write_core("bsk_label_select", parameters, ports)


POOL_LAYERS: tuple[type[OpenLayer], ...] = (PoolLayer, GlobalPoolLayer, LabelLayer)
