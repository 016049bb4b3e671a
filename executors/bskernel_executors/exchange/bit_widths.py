"""bit_widths.json: formats, sizes and folding of a model's layers. What the model does not state is absent."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact

BIT_WIDTHS = "bit_widths.json"


class TensorFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The number format of a tensor: QONNX's data type, its bits, and how many values a frame or a memory has."""

    datatype: str
    bits: int  # per value
    count: int | None = None

    @property
    def total_bits(self) -> int | None:
        """Bits of all values together."""
        return None if self.count is None else self.bits * self.count


class Fold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folding attribute, e.g. PE = 2, which must divide MH = 32."""

    parameter: str
    value: int
    of: str
    size: int


class LayerWidths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer: the formats of its tensors and how much it computes per cycle."""

    name: str
    operator: str  # as the graph has it, e.g. Conv, MVAU_rtl
    input: TensorFormat | None = None  # per frame
    weights: TensorFormat | None = None  # without biases
    thresholds: TensorFormat | None = None
    accumulator: TensorFormat | None = None
    output: TensorFormat | None = None  # per frame; before hardware: after the next quantizer
    macs: int | None = None  # multiply-accumulates per frame
    macs_per_cycle: float | None = None
    folding: tuple[Fold, ...] = ()
    input_width: int | None = None  # bits of the input stream per cycle, without padding to bytes
    output_width: int | None = None
    weight_memory: str | None = None  # FINN's mem_mode


class BitWidths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All layers of a model in order, and sums over them; a sum is absent when one of its terms is unknown."""

    layers: tuple[LayerWidths, ...] = ()
    weights: int | None = None
    weight_bits: int | None = None
    thresholds: int | None = None
    threshold_bits: int | None = None
    macs: int | None = None
    inputs: tuple[TensorFormat, ...] = ()  # of the whole model, per frame
    outputs: tuple[TensorFormat, ...] = ()
    warnings: tuple[str, ...] = ()

    def layer(self, name: str) -> LayerWidths | None:
        """The layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)


_DECODER = msgspec.json.Decoder(BitWidths)


def read_bit_widths(path: Path, *, category: FailureCategory = "config") -> BitWidths:
    """Read bit widths. Raises StepFailure (`category`)."""
    return read_artifact(path, _DECODER, BIT_WIDTHS, writer="qonnx-transform:bit_widths", category=category)
