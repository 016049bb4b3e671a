"""What a model says of its layers: formats, sizes, folding; what it does not say is absent. Of bit_widths.json."""

from __future__ import annotations

import msgspec


class Numbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Numbers of one format: QONNX's name of it, bits of one, and how many there are in one frame or one memory."""

    datatype: str
    bits: int
    count: int | None = None

    @property
    def total_bits(self) -> int | None:
        """Bits of all."""
        return None if self.count is None else self.bits * self.count


class Fold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folding attribute: PE = 2 must divide MH = 32."""

    parameter: str
    value: int
    of: str
    size: int


class LayerWidths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer: formats of what enters, is kept, is summed up and leaves, and how much it computes at once."""

    name: str
    operator: str  # as the graph has it, e.g. Conv, MVAU_rtl
    input: Numbers | None = None  # per frame
    weights: Numbers | None = None  # without biases
    thresholds: Numbers | None = None
    accumulator: Numbers | None = None
    output: Numbers | None = None  # per frame; before hardware: as the next quantizer makes it
    macs: int | None = None  # multiply-accumulates per frame
    macs_per_cycle: float | None = None
    folding: tuple[Fold, ...] = ()
    input_width: int | None = None  # bits of the input stream per cycle, without padding to bytes
    output_width: int | None = None
    weight_memory: str | None = None  # FINN's mem_mode


class BitWidths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All layers of a model in order, and sums over them; a sum is absent where a part of it is not known."""

    layers: tuple[LayerWidths, ...] = ()
    weights: int | None = None
    weight_bits: int | None = None
    thresholds: int | None = None
    threshold_bits: int | None = None
    macs: int | None = None
    inputs: tuple[Numbers, ...] = ()  # of the whole model, per frame
    outputs: tuple[Numbers, ...] = ()
    warnings: tuple[str, ...] = ()

    def layer(self, name: str) -> LayerWidths | None:
        """The layer of that name."""
        return next((layer for layer in self.layers if layer.name == name), None)
