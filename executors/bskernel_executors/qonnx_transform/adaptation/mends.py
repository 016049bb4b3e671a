"""All mends, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.domains import mend_domains
from bskernel_executors.qonnx_transform.adaptation.gemm import mend_gemm
from bskernel_executors.qonnx_transform.adaptation.metadata import strip_metadata
from bskernel_executors.qonnx_transform.adaptation.names import mend_names
from bskernel_executors.qonnx_transform.adaptation.qcdq import mend_qcdq
from bskernel_executors.qonnx_transform.adaptation.requantizers import mend_requantizers
from bskernel_executors.qonnx_transform.adaptation.two_dimensions import mend_rank
from bskernel_executors.qonnx_transform.adaptation.zero_points import mend_zero_points

MendName: TypeAlias = Literal[
    "metadata", "names", "domains", "qcdq", "zero_points", "requantizers", "gemm", "two_dimensions"
]
MendFunction: TypeAlias = Callable[[Any], list[Change]]  # takes an onnx.ModelProto


class Mend(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of mend: its name (`Change.kind`, and the word for `skip`) and its function.

    `compared` says that the mend could change what the network computes if it were wrong: after it changed something,
    outputs on drawn frames are compared with those before it.
    """

    name: MendName
    function: MendFunction
    compared: bool = False


MENDS: tuple[Mend, ...] = (
    Mend(name="metadata", function=strip_metadata),
    Mend(name="names", function=mend_names),
    Mend(name="domains", function=mend_domains),
    Mend(name="qcdq", function=mend_qcdq, compared=True),
    Mend(name="zero_points", function=mend_zero_points, compared=True),
    Mend(name="requantizers", function=mend_requantizers, compared=True),
    Mend(name="gemm", function=mend_gemm, compared=True),
    Mend(name="two_dimensions", function=mend_rank, compared=True),
)
