"""Attributes of quantizers in the words that qonnx knows."""

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.quantizers import mend_quantizers
from onnx import TensorProto, helper, numpy_helper


def quantizer(**attributes: int | str) -> object:
    node = helper.make_node(
        "Quant",
        ["in", "scale", "zero", "bits"],
        ["out"],
        name="Quant_0",
        domain="qonnx.custom_op.general",
        **attributes,
    )
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("in", "out")]
    values = {"scale": 0.5, "zero": 0.0, "bits": 4.0}
    constants = [numpy_helper.from_array(np.float32(value), name) for name, value in values.items()]
    return helper.make_model(helper.make_graph([node], "net", ends[:1], ends[1:], constants))


@pytest.mark.parametrize("written", ["ROUND_TO_ZERO", "round_to_zero"])
def test_rounding_toward_zero_gets_the_name_that_qonnx_knows(written: str) -> None:
    model = quantizer(signed=1, narrow=0, rounding_mode=written)
    (change,) = mend_quantizers(model)
    assert (change.names, change.before, change.after) == (("Quant_0",), "ROUND_TO_ZERO", "DOWN")
    assert mend_quantizers(model) == []


def test_a_mode_that_qonnx_knows_stays() -> None:
    assert mend_quantizers(quantizer(signed=1, narrow=0, rounding_mode="HALF_UP")) == []


def test_attributes_that_were_left_out_are_filled_in_with_the_specification_s_defaults() -> None:
    model = quantizer(signed=0)
    (change,) = mend_quantizers(model)
    assert change.after == "narrow = 0, rounding_mode = ROUND"
