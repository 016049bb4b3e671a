"""Parameters of the entry `evaluate`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from bskernel_executors.sdk import parameter


class EvaluateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `evaluate`."""

    stage: Annotated[str | None, parameter("name of the model's stage", default_from="plan.stage")] = None
    steps: Annotated[
        tuple[str, ...],
        parameter("steps that made this model from the one evaluated before", default_from="plan.transformations"),
    ] = ()
    frames: Annotated[
        int | None,
        parameter(
            "compare only the first frames; without labels, execute only these",
            unit="frames",
            default_from="quality.frames",
        ),
    ] = None
    top_k: Annotated[
        int, parameter("count a label as right if it is among the k largest outputs", default_from="quality.top_k")
    ] = 5
    metric: Annotated[
        str | None,
        parameter("module:function(outputs, labels) -> float, in the input source", default_from="quality.metric"),
    ] = None
    rtol: Annotated[
        float, parameter("tolerance relative to a frame's largest output", default_from="quality.rtol")
    ] = 1e-4
    atol: Annotated[float, parameter("absolute tolerance, added to rtol", default_from="quality.atol")] = 1e-6
    allowed_mismatch: Annotated[
        float, parameter("fraction of frames that may differ", default_from="quality.allowed_mismatch")
    ] = 0.0
    on_mismatch: Annotated[
        Literal["bounded", "fail", "warn"],
        parameter(
            "when more frames differ: bounded: fail, unless each has a proven cause and changes no prediction and no "
            "output by more than one step; fail; warn",
            default_from="quality.on_mismatch",
        ),
    ] = "bounded"

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}, but must be at least 1")
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"frames is {self.frames}, but must be at least 1")
        if not (self.rtol >= 0 and self.atol >= 0):
            raise ValueError(f"rtol is {self.rtol} and atol {self.atol}, but neither may be negative")
        if not 0 <= self.allowed_mismatch <= 1:
            raise ValueError(f"allowed_mismatch is {self.allowed_mismatch}, but must be a fraction from 0 to 1")
