"""All mends, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.attributes import mend_attributes
from bskernel_executors.qonnx_transform.adaptation.auto_pad import resolve_auto_pad
from bskernel_executors.qonnx_transform.adaptation.average_pools import mend_average_pools
from bskernel_executors.qonnx_transform.adaptation.batch import mend_batch
from bskernel_executors.qonnx_transform.adaptation.clips import mend_clips
from bskernel_executors.qonnx_transform.adaptation.conv_biases import mend_conv_biases
from bskernel_executors.qonnx_transform.adaptation.domains import mend_domains
from bskernel_executors.qonnx_transform.adaptation.functions import inline_functions
from bskernel_executors.qonnx_transform.adaptation.gemm import mend_gemm
from bskernel_executors.qonnx_transform.adaptation.graph_inputs import mend_inputs
from bskernel_executors.qonnx_transform.adaptation.integer_inputs import mend_integer_inputs
from bskernel_executors.qonnx_transform.adaptation.means import mend_means
from bskernel_executors.qonnx_transform.adaptation.metadata import strip_metadata
from bskernel_executors.qonnx_transform.adaptation.names import mend_names
from bskernel_executors.qonnx_transform.adaptation.no_operations import remove_no_operations
from bskernel_executors.qonnx_transform.adaptation.opset import mend_opset
from bskernel_executors.qonnx_transform.adaptation.precision import mend_precision
from bskernel_executors.qonnx_transform.adaptation.qcdq import mend_qcdq
from bskernel_executors.qonnx_transform.adaptation.quantizers import mend_quantizers
from bskernel_executors.qonnx_transform.adaptation.requantizers import mend_requantizers
from bskernel_executors.qonnx_transform.adaptation.stored_weights import mend_stored_weights
from bskernel_executors.qonnx_transform.adaptation.transposed_convolutions import mend_transposed_convolutions
from bskernel_executors.qonnx_transform.adaptation.two_dimensions import mend_rank
from bskernel_executors.qonnx_transform.adaptation.zero_points import mend_zero_points

MendName: TypeAlias = Literal[
    "functions",
    "metadata",
    "names",
    "domains",
    "inputs",
    "precision",
    "quantizers",
    "batch",
    "integer_inputs",
    "opset",
    "auto_pad",
    "attributes",
    "means",
    "no_operations",
    "qcdq",
    "stored_weights",
    "zero_points",
    "clips",
    "requantizers",
    "gemm",
    "conv_biases",
    "two_dimensions",
    "transposed_convolutions",
    "average_pools",
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


# Names come first, because all others name nodes. What comes later may rely on what was mended before.
MENDS: tuple[Mend, ...] = (
    Mend(name="functions", function=inline_functions),
    Mend(name="metadata", function=strip_metadata),
    Mend(name="names", function=mend_names),
    Mend(name="domains", function=mend_domains),
    Mend(name="inputs", function=mend_inputs),
    Mend(name="precision", function=mend_precision),
    Mend(name="quantizers", function=mend_quantizers),
    Mend(name="batch", function=mend_batch, compared=True),
    Mend(name="integer_inputs", function=mend_integer_inputs, compared=True),
    Mend(name="opset", function=mend_opset, compared=True),
    Mend(name="auto_pad", function=resolve_auto_pad, compared=True),
    Mend(name="attributes", function=mend_attributes),
    Mend(name="means", function=mend_means, compared=True),
    Mend(name="no_operations", function=remove_no_operations),
    Mend(name="qcdq", function=mend_qcdq, compared=True),
    Mend(name="stored_weights", function=mend_stored_weights, compared=True),
    Mend(name="zero_points", function=mend_zero_points, compared=True),
    Mend(name="clips", function=mend_clips, compared=True),
    Mend(name="requantizers", function=mend_requantizers, compared=True),
    Mend(name="gemm", function=mend_gemm, compared=True),
    Mend(name="conv_biases", function=mend_conv_biases, compared=True),
    Mend(name="two_dimensions", function=mend_rank, compared=True),
    Mend(name="transposed_convolutions", function=mend_transposed_convolutions, compared=True),
    # Not compared: it is exact on integers, where the pool itself rounded and may fall to either side of a half.
    Mend(name="average_pools", function=mend_average_pools),
)
