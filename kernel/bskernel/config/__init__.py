"""The types of build.toml and how it is decoded. Pure but for `reader`."""

from bskernel.config.cluster import ClusterSection
from bskernel.config.schema import (
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
    StoreMode,
    StoreSection,
    TargetSection,
)
from bskernel.config.sweep import SearchSection, Span, SweepSection, Values

__all__ = [
    "BuildSection",
    "ClusterSection",
    "Config",
    "Flow",
    "FlowEdit",
    "FlowSection",
    "Insertion",
    "LimitsSection",
    "Replacement",
    "SearchSection",
    "Span",
    "StepOptions",
    "StepTable",
    "StoreMode",
    "StoreSection",
    "SweepSection",
    "TargetSection",
    "Values",
]
