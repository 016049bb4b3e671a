"""The foldings that the layers of a specialised model can have, with FINN's cycles and what each costs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bskernel_executors.dataflow.operators import DIVIDES, operator_of
from bskernel_executors.finn_step.lattice_layers import describe_lattice_layer
from bskernel_executors.finn_step.layer_memories import Memory, count_memories, list_memories, list_styles
from bskernel_executors.finn_step.threshold_features import describe_thresholds
from bskernel_executors.folding.costs import Costs, add_counts, name_stream
from bskernel_executors.folding.families import PINS
from bskernel_executors.folding.problem import StreamLink, Unit, UnitFolding, leave_out_worse
from bskernel_executors.lattice.devices import part_for_finn

Assignment = Mapping[str, Mapping[str, int | str]]  # layer -> attribute -> value
_WIDEST = 8191  # bits of a stream, which FINN's HLS types cannot exceed
_DEPTHWISE = ("VVAU", "Pool")
MEMBERS = " + "  # between the layers of a unit, in its name
_SLIDING = "ConvolutionInputGenerator"
_THRESHOLDS = "Thresholding_rtl"
# What a layer of any other operator is folded by, and the attribute that this must divide.
_ELSE = (("PE", "NumChannels"), ("SIMD", "NumChannels"))
ESTIMATED = ("LUT", "DSP", "BRAM_18K", "URAM")  # by FINN


def _divisors(of: int) -> list[int]:
    return [value for value in range(1, of + 1) if of % value == 0]


class Layers:
    """The layers of a model, and what FINN says of them at a folding."""

    def __init__(self, model: Any, part: str, costs: Costs) -> None:
        """`part`: what FINN's estimates are for; for one of Lattice's they are those of a stand-in."""
        from qonnx.custom_op.registry import getCustomOp

        self.model, self.part, self.costs = model, str(part_for_finn(part)), costs
        self.nodes = list(model.graph.node)
        self.by_name = {node.name: node for node in self.nodes}
        self.instances = {node.name: getCustomOp(node) for node in self.nodes}

    def has(self, layer: str, attribute: str) -> bool:
        """Return whether a layer has the attribute."""
        return attribute in self.instances[layer].get_nodeattr_types()

    def get(self, layer: str, attribute: str) -> Any:
        """Return an attribute's value."""
        return self.instances[layer].get_nodeattr(attribute)

    def set(self, assignment: Assignment) -> None:
        """Set attributes."""
        for layer, attributes in assignment.items():
            for name, value in attributes.items():
                self.instances[layer].set_nodeattr(name, value)

    def describe(self, layer: str) -> tuple[dict[str, float], dict[str, float]]:
        """The features of a layer at its present folding, and its estimated resources: FINN's, but for memories."""
        node, instance = self.by_name[layer], self.instances[layer]
        estimate = dict(instance.node_res_estimation(self.part))
        if self.costs.family != "amd":
            found = describe_features(node, instance, estimate, ())
            return describe_lattice_layer(found, float(estimate.get("LUT", 0)), node, instance, self.costs.family)
        memories = list_memories(node.op_type, instance, self.model)
        if memories is not None:
            estimate |= count_memories(memories)
        if node.op_type == _THRESHOLDS:
            features = self._describe_thresholds(node, instance)
        else:
            features = describe_features(node, instance, estimate, memories or ())
        return features, {name: float(estimate.get(name, 0)) for name in ESTIMATED}

    def _describe_thresholds(self, node: Any, instance: Any) -> dict[str, float]:
        values, inputs = self.model.get_initializer(node.input[1]), instance.get_input_datatype(0)
        bits, span = instance.get_input_datatype(1).bitwidth(), (int(inputs.min()), int(inputs.max()))
        pe = int(instance.get_nodeattr("PE"))
        return describe_thresholds(values.astype("int64"), pe, int(bits), span, int(inputs.bitwidth()))

    def list_styles(self, layer: str) -> tuple[str, ...]:
        """List the values of ram_style that a layer may have; none where Yosys chooses."""
        if self.costs.family != "amd":
            return ()
        return list_styles(self.by_name[layer].op_type, self.instances[layer], self.part)

    def cost(self, layer: str) -> dict[str, float]:
        """The resources of a layer at its present folding: FINN's estimates, but by fits where there are some."""
        return self.costs.count(layer, self.by_name[layer].op_type, *self.describe(layer))


def _count_bits(values: int) -> int:
    """The bits that tell so many values apart."""
    return math.ceil(math.log2(values))


def describe_features(
    node: Any, instance: Any, estimate: Mapping[str, Any], memories: Sequence[Memory]
) -> dict[str, float]:
    """The features of a layer at its present folding from which its LUTs are predicted."""
    operator = operator_of(node.op_type)

    def attribute(name: str) -> int:
        return int(instance.get_nodeattr(name)) if name in instance.get_nodeattr_types() else 0

    bits_in, bits_out = float(instance.get_instream_width()), float(instance.get_outstream_width())
    found = {
        "one": 1.0,
        "bits_in": bits_in,
        "bits_out": bits_out,
        "estimate": float(estimate.get("LUT", 0)),
        "dsp": float(estimate.get("DSP", 0)),
    }
    if operator in ("MVAU", "VVAU"):
        weights, inputs = (instance.get_input_datatype(at).bitwidth() for at in (1, 0))
        products = attribute("PE") * attribute("SIMD")
        found["product_bits"] = float(products * weights * inputs)
        if any(not memory.is_in_luts for memory in memories):
            found["blocks_deep"] = float(instance.calc_wmem()) / 1024
        else:
            found["memory"] = float(instance.calc_wmem() * products * weights) / 64
    if operator == _SLIDING:
        height, width = instance.get_nodeattr("ConvKernelDim")
        channels, size_in = attribute("IFMChannels"), instance.get_nodeattr("IFMDim")
        counted = (*size_in, *instance.get_nodeattr("OFMDim"), channels)
        found["counter_bits"] = float(sum(_count_bits(max(2, int(size))) for size in counted))
        found["is_window"] = float(height * width > 1)
        if any(not memory.is_in_luts for memory in memories):
            # What else such a layer takes is another law: no multiplexers of LUT RAMs. So is that of whole windows.
            kind = "whole_blocks" if attribute("parallel_window") else "blocks"
            return {f"{name}_of_{kind}": found[name] for name in ("one", "bits_out", "counter_bits")}
        row_bits = math.prod(size_in[1:]) * channels * instance.get_input_datatype(0).bitwidth()
        found["buffer"] = float(row_bits * height) / 64
        # A deep and narrow memory takes more LUTs than a wide one of as many bits, and two halves more than a whole.
        found["depth"] = round(found["buffer"] / bits_in, 4)
        found["buffer_root"], found["depth_root"] = (round(math.sqrt(found[name]), 4) for name in ("buffer", "depth"))
    return found


def _sizes(layers: Layers, layer: str) -> Iterator[tuple[str, int]]:
    """The folding attributes of a layer, with the size that each must divide."""
    operator = operator_of(layers.by_name[layer].op_type)
    for factor, size in DIVIDES.get(operator, ()):
        if layers.has(layer, factor) and layers.has(layer, size):
            yield factor, int(layers.get(layer, size))
    if operator in DIVIDES:
        return
    if operator.startswith("Elementwise") and layers.has(layer, "PE"):
        yield "PE", int(layers.instances[layer].get_normal_output_shape()[-1])
    elif layers.has(layer, "ChannelsPerStream") and layers.has(layer, "SIMD"):
        yield "SIMD", math.gcd(*(int(count) for count in layers.get(layer, "ChannelsPerStream")))
    else:
        for factor, size in _ELSE:
            if layers.has(layer, factor) and layers.has(layer, size):
                yield factor, int(layers.get(layer, size))
                return


def counts_windows(rows: int, columns: int) -> bool:
    """Return whether FINN can generate whole windows for outputs of this size.

    Its counter of windows needs a bit: prepare_codegen_parallel (convolutioninputgenerator_rtl.py of FINN+ 1.6.1)
    takes the logarithm of 0 for a single window, and for two in a row.
    """
    return rows > 2 if columns == 1 else rows > 1 or columns > 2


def _has_whole_windows(layers: Layers, window: str) -> bool:
    rows, columns = layers.get(window, "OFMDim")
    return counts_windows(int(rows), int(columns))


def _add_style(folding: Mapping[str, int | str], style: str | None) -> dict[str, int | str]:
    return {**folding, **({"ram_style": style} if style is not None else {})}


def _assign_alone(layers: Layers, layer: str) -> Iterator[Assignment]:
    """The foldings of a layer."""
    sizes = list(_sizes(layers, layer))
    memories: Sequence[str | None] = layers.list_styles(layer) or (None,)
    for values in itertools.product(*(_divisors(size) for _, size in sizes)):
        folding: dict[str, int | str] = {name: value for (name, _), value in zip(sizes, values, strict=True)}
        for memory in memories:
            yield {layer: _add_style(folding, memory)}
    node = layers.by_name[layer]
    if node.op_type == f"{_SLIDING}_rtl" and not layers.get(layer, "depthwise") and _has_whole_windows(layers, layer):
        for style in layers.list_styles(layer):
            whole: dict[str, int | str] = {"SIMD": int(layers.get(layer, "IFMChannels")), "parallel_window": 1}
            yield {layer: _add_style(whole, style)}


def _assign_pair(layers: Layers, window: str, layer: str) -> Iterator[Assignment]:
    """The foldings of a depthwise layer and of the sliding window before it, which has the SIMD of the layer's PE."""
    channels = int(layers.get(layer, "Channels"))
    memories: Sequence[str | None] = layers.list_styles(window) or (None,)
    for pe, style in itertools.product(_divisors(channels), memories):
        yield {window: _add_style({"SIMD": pe}, style), layer: {"PE": pe}}
    if not layers.has(layer, "SIMD") or layers.by_name[window].op_type != f"{_SLIDING}_rtl":
        return
    if not _has_whole_windows(layers, window):
        return
    # FINN's sliding window gives a whole window at once only for all channels.
    for simd in _divisors(math.prod(int(size) for size in layers.get(layer, "Kernel"))):
        for style in memories if simd > 1 else ():
            whole = _add_style({"SIMD": channels, "parallel_window": 1}, style)
            yield {window: whole, layer: {"PE": channels, "SIMD": simd}}


def _is_depthwise(layers: Layers, node: Any) -> str | None:
    """Return the sliding window that a depthwise layer must be folded with."""
    if operator_of(node.op_type) not in _DEPTHWISE:
        return None
    window = layers.model.find_producer(node.input[0])
    if window is None or operator_of(window.op_type) != _SLIDING or not layers.get(window.name, "depthwise"):
        return None
    return str(window.name)


def list_units(layers: Layers, *, pruned: bool = True) -> tuple[tuple[Unit, ...], tuple[StreamLink, ...]]:
    """List the units in the order of the graph, and the streams between them. The model's folding is kept.

    With `pruned`, foldings are left out that another one with the same streams is nowhere worse than.
    """
    pairs = {window: node.name for node in layers.nodes if (window := _is_depthwise(layers, node)) is not None}
    names = [name for node in layers.nodes if (name := node.name) not in pairs.values()]
    members = {name: (name, pairs[name]) if name in pairs else (name,) for name in names}
    unit_of = {layer: at for at, name in enumerate(names) for layer in members[name]}
    ends = _find_ends(layers, unit_of)
    links = tuple(
        StreamLink(source=source, output=outputs.index(tensor), target=target, input=inputs.index(tensor))
        for target, (inputs, _) in enumerate(ends)
        for tensor in inputs
        for source, (_, outputs) in enumerate(ends)
        if tensor in outputs
    )
    units = []
    for at, name in enumerate(names):
        inputs, outputs = ends[at]
        drawn = _assign_pair(layers, *members[name]) if name in pairs else _assign_alone(layers, name)
        choices = _evaluate(layers, members[name], list(drawn), inputs, outputs)
        title = MEMBERS.join(members[name])
        operator = layers.by_name[members[name][-1]].op_type
        unit = Unit(name=title, operator=operator, choices=choices)
        units.append(leave_out_worse(unit) if pruned else unit)
    return tuple(units), links


def _find_ends(layers: Layers, unit_of: Mapping[str, int]) -> list[tuple[list[str], list[str]]]:
    """For each unit the tensors that come from other units, and those that go to other units."""
    ends: list[tuple[list[str], list[str]]] = [([], []) for _ in set(unit_of.values())]
    made_by = {tensor: unit_of[node.name] for node in layers.nodes for tensor in node.output}
    for node in layers.nodes:
        for tensor in node.input:
            source, target = made_by.get(tensor), unit_of[node.name]
            if source is not None and source != target:
                ends[target][0].append(tensor)
                ends[source][1].append(tensor)
    return ends


def name_ends(units: Sequence[Unit], link: StreamLink) -> str:
    """The name of a stream: the layers at its ends."""
    source, target = (units[at].name.split(MEMBERS) for at in (link.source, link.target))
    return name_stream(source[-1], target[0])


def list_outside(layers: Layers, members: Sequence[str]) -> list[tuple[str, int]]:
    """The streams of a unit from and to the outside of the network: name, width in bits."""
    first, last = layers.by_name[members[0]], layers.by_name[members[-1]]
    given, taken = (
        {tensor.name for tensor in ends} for ends in (layers.model.graph.input, layers.model.graph.output)
    )
    found = []
    for at, tensor in enumerate(first.input):
        if tensor in given:
            found.append((name_stream(None, first.name), int(layers.instances[first.name].get_instream_width(at))))
    for at, tensor in enumerate(last.output):
        if tensor in taken:
            found.append((name_stream(last.name, None), int(layers.instances[last.name].get_outstream_width(at))))
    return found


def count_pins(width: int) -> float:
    """The pins of a stream to the outside: whole bytes, a handshake, and the clock or the reset."""
    return 8.0 * math.ceil(width / 8) + 3


def _count_outside(layers: Layers, members: Sequence[str]) -> list[dict[str, float]]:
    outside = list_outside(layers, members)
    counts = [layers.costs.stream(name, width, width) for name, width in outside]
    if layers.costs.family == "amd":
        return counts
    return [{**count, PINS: count_pins(width)} for count, (_, width) in zip(counts, outside, strict=True)]


def _evaluate(
    layers: Layers, members: Sequence[str], drawn: Sequence[Assignment], inputs: list[str], outputs: list[str]
) -> tuple[UnitFolding, ...]:
    """What FINN says of each assignment; those with a stream that is too wide are left out."""
    before = {
        layer: {name: layers.get(layer, name) for assignment in drawn for name in assignment.get(layer, {})}
        for layer in members
    }
    first, last = layers.by_name[members[0]], layers.by_name[members[-1]]
    found = []
    for assignment in drawn:
        layers.set(before)
        layers.set(assignment)
        counts = [layers.cost(layer) for layer in members]
        counts += _count_outside(layers, members)
        widths = (
            tuple(int(layers.instances[first.name].get_instream_width(list(first.input).index(t))) for t in inputs),
            tuple(int(layers.instances[last.name].get_outstream_width(list(last.output).index(t))) for t in outputs),
        )
        if max((*widths[0], *widths[1]), default=0) > _WIDEST:
            continue
        found.append(
            UnitFolding(
                attributes=assignment,
                cycles=max(int(layers.instances[layer].get_exp_cycles()) for layer in members),
                cost=add_counts(counts),
                widths_in=widths[0],
                widths_out=widths[1],
            )
        )
    layers.set(before)
    return tuple(found)
