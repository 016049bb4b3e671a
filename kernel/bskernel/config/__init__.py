"""The types of build.toml and how it is decoded. Pure but for `reader`."""

from bskernel.config.cluster import ClusterSection
from bskernel.config.schema import (
    BuildSection,
    Collection,
    Config,
    Flow,
    FlowEdit,
    FlowSection,
    Insertion,
    LimitsSection,
    Loop,
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
    "Collection",
    "Config",
    "Flow",
    "FlowEdit",
    "FlowSection",
    "Insertion",
    "LimitsSection",
    "Loop",
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
