"""The network as qonnx-transform:describe describes it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

ENTRY = "qonnx-transform:describe"
OUTPUT = "description"


class DescribedTensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input or output of the network."""

    name: str
    shape: tuple[int | str, ...] | None  # None if the model does not even state the rank
    datatype: str


class DescribedLayer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer with weights. A data type is absent if nothing quantizes it, or if it is unknown."""

    name: str
    operator: str
    weights: tuple[int, ...]
    input_datatype: str | None
    weight_datatype: str | None
    macs: int | None  # per frame
    quantized: bool  # in weights and input: only then it can be hardware


class Remedy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter of a step that may be the remedy: an example, which the user must confirm."""

    step: str
    name: str
    value: Any


class Obstacle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a build fail, or leaves layers to the host."""

    fails: bool
    what: str
    remedy: str | None
    setting: Remedy | None = None


class DescribedNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as it came, and as `adapt` would change it."""

    stages: tuple[str, ...]  # that it may be at
    exporter: str | None
    opset: int | None
    inputs: tuple[DescribedTensor, ...]
    outputs: tuple[DescribedTensor, ...]
    layers: tuple[DescribedLayer, ...]
    operators: dict[str, int]
    changes: int
    problems: tuple[Obstacle, ...]

    @property
    def fails(self) -> bool:
        """Whether a build of it fails as it is."""
        return any(problem.fails for problem in self.problems)

    @property
    def share(self) -> float | None:
        """The fraction of the MACs in layers that can be hardware; None unless all are known."""
        counts = [layer.macs for layer in self.layers]
        total = sum(count for count in counts if count is not None)
        if None in counts or not total:
            return None
        return sum(layer.macs or 0 for layer in self.layers if layer.quantized) / total


def read_description(data: bytes) -> DescribedNetwork:
    """Decode description.json. Raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=DescribedNetwork)
