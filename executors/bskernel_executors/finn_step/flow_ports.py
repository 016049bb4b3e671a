"""The inputs and outputs of FINN's steps: the model, FINN's output directory, FINN_BUILD_DIR."""

from __future__ import annotations

from bskernel_executors.sdk import Input, Output

FLOW_OUTPUTS = (
    Output("model", kind="file", media_type="application/x-onnx"),
    Output("output", kind="tree", help="FINN's output directory after this step"),
    Output("state", kind="tree", help="FINN_BUILD_DIR after this step; relocatable"),
)
FLOW_INPUTS = (
    Input("model", kind="file", media_type="application/x-onnx"),
    Input("output", kind="tree", required=False),
    Input("state", kind="tree", required=False),
)
