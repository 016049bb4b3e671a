"""The data type that a user gives the network's first input, where the export does not say it."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.sdk import StepFailure

KIND = "input_datatype"


def annotate_input(model: Any, name: str) -> list[Change]:
    """Annotate the first input. Raises StepFailure (config) for a name that is no integer type of QONNX."""
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    try:
        datatype = DataType[name]
    except KeyError:
        datatype = None
    if datatype is None or not datatype.is_integer():
        raise StepFailure(
            category="config",
            message=f"input_datatype is {name!r}, which is no integer data type of QONNX",
            hint="set it to UINT8, INT8 or another type INTn, UINTn, BIPOLAR, BINARY",
        )
    constants = {tensor.name for tensor in model.graph.initializer}
    tensor = next(item.name for item in model.graph.input if item.name not in constants)
    wrapper = ModelWrapper(model)
    before = wrapper.get_tensor_datatype(tensor)
    if before == datatype:
        return []
    wrapper.set_tensor_datatype(tensor, datatype)
    return [
        Change(
            kind=KIND,
            names=(tensor,),
            before=before.name,
            after=name,
            reason="the parameter input_datatype of the step adapt says so",
        )
    ]
