"""The executor SDK: declare entries, then serve them to a kernel or run one by hand.

`bskernel-executor serve MODULE` is what the kernel starts, `bskernel-executor run DIR MODULE` runs the step in a
directory that `bskernel replay` has prepared, and `bskernel-executor describe MODULE` prints the catalogue.
"""

from bskernel_executors.sdk.parameters import parameter
from bskernel_executors.sdk.registry import Entry, Input, Output, Registry
from bskernel_executors.sdk.step import Step, StepFailure

__all__ = ["Entry", "Input", "Output", "Registry", "Step", "StepFailure", "parameter"]
