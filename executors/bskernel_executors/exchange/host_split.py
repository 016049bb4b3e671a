"""host.json: the nodes of a network that the host computes, before and after the accelerator."""

from __future__ import annotations

import msgspec


class HostTensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tensor that host and accelerator exchange."""

    name: str
    shape: tuple[int, ...]
    datatype: str  # QONNX's name


class HostNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node that the host computes."""

    name: str
    kind: str  # ONNX's op_type


class HostSplit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """head.onnx runs before the accelerator, tail.onnx after it; a part without nodes has no file."""

    head: tuple[HostNode, ...]
    tail: tuple[HostNode, ...]
    accelerator_input: HostTensor
    accelerator_output: HostTensor
