"""Layers that copy, join or cut streams and compute nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.duplicatestreams import DuplicateStreams

from bskernel_executors.open_rtl.layer import OpenLayer
from bskernel_executors.open_rtl.wrapper import HdlInstance, write_instance


def connect(stream: str) -> dict[str, str]:
    """Connect the ports in_... or out_... of a module to a stream of the same direction."""
    side = "in" if stream.startswith("in") else "out"
    return {f"{side}_{part}": f"{stream}_{part}" for part in ("data", "valid", "ready")}


def gather(side: str, count: int) -> dict[str, str]:
    """Connect the ports of a module that has `count` streams on one side: stream 0 in the lowest bits."""
    names = [f"{side}{at}" for at in reversed(range(count))]
    return {
        f"{side}_{part}": f"{{{', '.join(f'{name}_{part}' for name in names)}}}"
        for part in ("data", "valid", "ready")
    }


class ForkLayer(OpenLayer, DuplicateStreams):  # type: ignore[misc]
    """One stream copied to several, which take the copies independently, two beats apart at most."""

    operator = "DuplicateStreams"
    sources = ("bsk_register.sv", "bsk_fork.sv")

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_fork."""
        count = len(self.onnx_node.output)
        parameters: dict[str, int | str] = {"N": count, "WIDTH": int(self.get_instream_width())}
        ports = connect("in0") | gather("out", count)
        return write_instance(HdlInstance(module="bsk_fork", name="fork_i", parameters=parameters, ports=ports))
