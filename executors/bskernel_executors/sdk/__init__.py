"""The kit that executors are made with: declare entries, then serve them to a kernel or run one by hand."""

from bskernel_executors.sdk.parameters import parameter
from bskernel_executors.sdk.registry import Entry, Input, Output, Registry
from bskernel_executors.sdk.step import Step, StepFailure

__all__ = ["Entry", "Input", "Output", "Registry", "Step", "StepFailure", "parameter"]
