"""What the memories inside FINN's layers take, as the open flow maps them. Pure, but for asking FINN's layers.

FINN's own estimates count other blocks: a memory's last bits get a block RAM of their own there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bskernel_executors.dataflow.memories import count_blocks, count_constants, count_ultra, takes_blocks
from bskernel_executors.dataflow.operators import operator_of
from bskernel_executors.devices.resources import find_device
from bskernel_executors.finn_step.threshold_features import count_levels

_WINDOW = "ConvolutionInputGenerator_rtl"
_THRESHOLDS = "Thresholding_rtl"
_INSIDE = "internal_decoupled"


class Memory(NamedTuple):
    """Equal memories of a layer: how many, words and bits of each, and FINN's ram_style."""

    number: int
    words: int
    bits: int
    style: str
    is_written: bool = False

    @property
    def is_in_luts(self) -> bool:
        """Does it lie in LUTs?"""
        if self.style == "auto":
            return not takes_blocks(self.words, self.bits)
        return self.style == "distributed"


def list_weights(instance: Any) -> tuple[Memory, ...]:
    """The weights of a matrix unit or a depthwise unit, which are constant; none if they come from outside."""
    if instance.get_nodeattr("mem_mode") != _INSIDE:
        return ()
    bits = instance.get_nodeattr("PE") * instance.get_nodeattr("SIMD") * instance.get_input_datatype(1).bitwidth()
    return (Memory(1, int(instance.calc_wmem()), int(bits), str(instance.get_nodeattr("ram_style"))),)


def list_thresholds(instance: Any, rows: int) -> tuple[Memory, ...]:
    """The thresholds of a layer in RTL: a memory for each level and each of PE channels (FINN's thresholding.sv).

    `rows`: channels that have thresholds of their own.
    """
    pe = instance.get_nodeattr("PE")
    folds = 1 if rows == 1 else instance.get_nodeattr("NumChannels") // pe
    bits = instance.get_input_datatype(1).bitwidth()
    block, ultra = (instance.get_nodeattr(f"depth_trigger_{kind}") for kind in ("bram", "uram"))
    found = []
    for level in range(count_levels(int(instance.get_nodeattr("numSteps")))):
        words = folds * 2**level
        style = "block" if block and words >= block else "distributed" if block else "auto"
        if ultra and words >= ultra:
            style = "auto"  # constants cannot lie in UltraRAM
        found.append(Memory(int(pe), int(words), int(bits), style))
    return tuple(found)


def list_buffers(instance: Any) -> tuple[Memory, ...]:
    """The buffer of a sliding window in RTL, or its line buffers if it outputs whole windows."""
    style, bits = str(instance.get_nodeattr("ram_style")), int(instance.get_instream_width())
    if instance.select_impl_style() == "default":
        return (Memory(1, int(instance.get_buffer_depth()), bits, style, is_written=True),)
    (rows, columns), (height, width) = instance.get_nodeattr("ConvKernelDim"), instance.get_nodeattr("IFMDim")
    dilation_rows, dilation_columns = instance.get_nodeattr("Dilation")
    if height == 1 or width == 1 or rows == 1:
        return ()
    words = width - ((columns - 1) * dilation_columns + 1) + width * (dilation_rows - 1)
    words *= instance.get_nodeattr("IFMChannels") // instance.get_nodeattr("SIMD")
    return (Memory(int(rows) - 1, int(words), bits, style, is_written=True),) if words > 0 else ()


def list_memories(kind: str, instance: Any, model: Any) -> tuple[Memory, ...] | None:
    """List the memories of a layer of FINN's type `kind` in a model; None where FINN's estimate stands."""
    if operator_of(kind) in ("MVAU", "VVAU"):
        return list_weights(instance)
    if kind == _THRESHOLDS:
        return list_thresholds(instance, int(model.get_tensor_shape(instance.onnx_node.input[1])[0]))
    return list_buffers(instance) if kind == _WINDOW else None


def list_styles(kind: str, instance: Any, part: str) -> tuple[str, ...]:
    """List the values of ram_style to choose from: for weights, or for the buffer of a sliding window in RTL.

    Weights are constant, and UltraRAM of UltraScale+ has no initial contents: FINN puts weights there only if they
    are written at run time, which the open flow has no RTL for. None for a layer whose ram_style is given.
    """
    if kind == _WINDOW:
        device = find_device(part, None)
        return ("distributed", "block", "ultra") if device is not None and device.URAM else ("distributed", "block")
    if operator_of(kind) != "MVAU" or instance.get_nodeattr("mem_mode") != _INSIDE:
        return ()
    return ("distributed", "block") if instance.get_nodeattr("ram_style") == "auto" else ()


def count_memories(memories: tuple[Memory, ...]) -> dict[str, int]:
    """BRAM_18K and URAM of memories."""
    found = {"BRAM_18K": 0, "URAM": 0}
    for memory in memories:
        if memory.style == "ultra":
            found["URAM"] += memory.number * count_ultra(memory.words, memory.bits)
        elif not memory.is_written:
            found["BRAM_18K"] += memory.number * count_constants(memory.words, memory.bits, memory.style)
        elif memory.style != "distributed":
            found["BRAM_18K"] += memory.number * count_blocks(memory.words, memory.bits, is_written=True)
    return found
