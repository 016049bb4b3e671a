"""The build's configuration: its types, and how a file becomes them."""

from bskernel.config.load import load_config
from bskernel.config.model import (
    BuildSection,
    Config,
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
    "FlowEdit",
    "FlowSection",
    "Insertion",
    "Replacement",
    "StepOptions",
    "StepTable",
    "TargetSection",
    "load_config",
]
