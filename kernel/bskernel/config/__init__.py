"""The build's configuration: its types."""

from bskernel.config.model import (
    BuildSection,
    Config,
    Flow,
    FlowEdit,
    FlowSection,
    Insertion,
    Replacement,
    StepOptions,
    StepTable,
    TargetSection,
)

__all__ = [
    "BuildSection",
    "Config",
    "Flow",
    "FlowEdit",
    "FlowSection",
    "Insertion",
    "Replacement",
    "StepOptions",
    "StepTable",
    "TargetSection",
]
