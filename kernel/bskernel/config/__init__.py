"""The build's configuration: its types."""

from bskernel.config.model import (
    BuildSection,
    Config,
    Flow,
    FlowEdit,
    FlowSection,
    Insertion,
    LimitsSection,
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
    "LimitsSection",
    "Replacement",
    "StepOptions",
    "StepTable",
    "TargetSection",
]
