"""An ONNX graph as mends look at it: constants, producers, consumers, shapes; and edits that keep its order."""

from __future__ import annotations

from typing import Any

from bskernel_executors.qonnx_transform.adaptation.domains import QONNX
from bskernel_executors.qonnx_transform.adaptation.names import list_tensors, unique_name
from bskernel_executors.qonnx_transform.adaptation.shapes import infer_shapes

QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant"})


class NetworkGraph:
    """A view of an onnx.ModelProto. Lookups find what the model holds now, as long as this class does the edits.

    Inputs of nodes may be set in place. Outputs may not, and shapes are those from before the first edit.
    """

    def __init__(self, model: Any) -> None:
        """Take the model; nothing is copied."""
        self.model = model
        self.graph = model.graph
        self._shapes: dict[str, tuple[int, ...]] | None = None
        self._tensors: dict[str, Any] | None = None
        self._producers: dict[str, Any] | None = None

    @property
    def nodes(self) -> list[Any]:
        """The nodes in their order, as a list that stays as it is while the graph is edited."""
        return list(self.graph.node)

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators."""
        return max((entry.version for entry in self.model.opset_import if entry.domain in {"", "ai.onnx"}), default=1)

    def import_qonnx(self) -> None:
        """Import the domain of qonnx's operators, if the model does not yet."""
        if all(entry.domain != QONNX for entry in self.model.opset_import):
            self.model.opset_import.add(domain=QONNX, version=1)

    def constant(self, name: str) -> Any:
        """The value of an initializer or of a Constant node, or None."""
        from onnx import numpy_helper

        tensor = self._tensor(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def element_type(self, name: str) -> int | None:
        """The ONNX element type of a constant."""
        tensor = self._tensor(name)
        return None if tensor is None else int(tensor.data_type)

    def _tensor(self, name: str) -> Any:
        if self._tensors is None:
            self._tensors = {tensor.name: tensor for tensor in self.graph.initializer}
        if name in self._tensors:
            return self._tensors[name]
        producer = self.producer(name)
        return attributes(producer).get("value") if producer is not None and producer.op_type == "Constant" else None

    def producer(self, name: str) -> Any:
        """The node that computes a tensor, or None for inputs and initializers."""
        if self._producers is None:
            self._producers = {output: node for node in self.graph.node for output in node.output if output}
        return self._producers.get(name)

    def consumers(self, name: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.graph.node if name in node.input]

    def is_output(self, name: str) -> bool:
        """Whether the network returns the tensor."""
        return any(item.name == name for item in self.graph.output)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The inferred shape of a tensor, or None when it is not known in full."""
        if self._shapes is None:
            self._shapes = infer_shapes(self.model)
        return self._shapes.get(name)

    def add_constant(self, wanted: str, value: Any) -> str:
        """Add an initializer under a name that nothing has yet, and return the name."""
        from onnx import numpy_helper

        name = unique_name(wanted, list_tensors(self.graph))
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        self._tensors = None
        return name

    def new_tensor(self, wanted: str) -> str:
        """A name that no tensor has yet. It is taken once a node uses it."""
        return unique_name(wanted, list_tensors(self.graph))

    def new_name(self, wanted: str) -> str:
        """A name that no node has yet. It is taken once a node has it."""
        return unique_name(wanted, {node.name for node in self.graph.node})

    def insert_before(self, node: Any, *new: Any) -> None:
        """Put nodes in front of a node. Their outputs must be final by then."""
        at = next(at for at, other in enumerate(self.graph.node) if other is node or other.name == node.name)
        for offset, item in enumerate(new):
            self.graph.node.insert(at + offset, item)
        self._producers = None

    def remove(self, *nodes: Any) -> None:
        """Take nodes out."""
        for node in nodes:
            self.graph.node.remove(node)
        self._producers = None

    def redirect(self, old: str, new: str) -> None:
        """Have every node that reads `old` read `new`."""
        for node in self.graph.node:
            for at, name in enumerate(node.input):
                if name == old:
                    node.input[at] = new

    def drop_unused(self) -> None:
        """Remove initializers and Constant nodes that nothing reads, and what is said of tensors that are gone."""
        used = {name for node in self.graph.node for name in node.input} | {item.name for item in self.graph.output}
        for node in self.nodes:
            if node.op_type == "Constant" and not used & set(node.output):
                self.graph.node.remove(node)
        listed = {item.name for item in self.graph.input}
        for tensor in list(self.graph.initializer):
            if tensor.name not in used:
                self.graph.initializer.remove(tensor)
                for item in list(self.graph.input):
                    if item.name == tensor.name and tensor.name in listed:
                        self.graph.input.remove(item)
        self._tensors = self._producers = None
        computed = {name for node in self.graph.node for name in node.output}
        for item in list(self.graph.value_info):
            if item.name not in used and item.name not in computed:
                self.graph.value_info.remove(item)


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes by name, as Python values."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def set_attribute(node: Any, name: str, value: Any) -> None:
    """Set an attribute, whether the node has it yet or not."""
    from onnx import helper

    for attribute in node.attribute:
        if attribute.name == name:
            node.attribute.remove(attribute)
            break
    node.attribute.append(helper.make_attribute(name, value))


def describe(node: Any) -> str:
    """The node as messages name it."""
    return f"{node.op_type} {node.name!r}"


def make_quant(
    network: NetworkGraph,
    name: str,
    source: str,
    target: str,
    *,
    scale: Any,
    bits: int,
    signed: bool,
    narrow: bool,
) -> Any:
    """Make a Quant node with zero point 0 that rounds halves to even. The domain is imported where it is missing."""
    import numpy as np
    from onnx import helper

    network.import_qonnx()
    return helper.make_node(
        "Quant",
        [
            source,
            network.add_constant(f"{name}_scale", np.asarray(scale, dtype=np.float32)),
            network.add_constant(f"{name}_zero_point", np.zeros((), dtype=np.float32)),
            network.add_constant(f"{name}_bits", np.asarray(bits, dtype=np.float32)),
        ],
        [target],
        name=network.new_name(name),
        domain=QONNX,
        signed=int(signed),
        narrow=int(narrow),
        rounding_mode="ROUND",
    )


def find_integer_type(low: int, high: int) -> tuple[int, bool, bool] | None:
    """The quantizer that holds exactly the integers from low to high: bits, signed, narrow. None if there is none."""
    if low == 0 and high > 0 and (high + 1).bit_count() == 1:
        return high.bit_length(), False, False
    if high > 0 and (high + 1).bit_count() == 1 and low in {-high - 1, -high}:
        return high.bit_length() + 1, True, low == -high
    return None


def count_signed_bits(low: int, high: int) -> int:
    """The fewest bits, at least two, in which signed integers hold low to high."""
    return max(2, 1 + max(max(high, 0).bit_length(), max(-low - 1, 0).bit_length()))


def fit_integer_type(values: Any) -> tuple[int, bool, bool]:
    """The smallest signed quantizer of at least two bits that holds all of the integers: bits, signed, narrow."""
    low, high = int(values.min()), int(values.max())
    bits = count_signed_bits(low, high)
    return bits, True, low > -(1 << (bits - 1))
