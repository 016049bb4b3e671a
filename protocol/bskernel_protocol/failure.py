"""A failure is data: what went wrong, the first cause, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

FailureCategory: TypeAlias = Literal[
    "model_load",  # the model is damaged, empty, or not at the stage that the step takes
    "config",  # the build's configuration asks for what cannot be, or names a file that does not fit
    "environment",  # something this machine lacks
    "preprocessing",  # a transformation before the backend
    "transform",  # a transformation of the backend's
    "kernel",  # a hardware layer that cannot be made as it is asked for
    "synthesis",
    "timing",  # the design does not run at the clock that was asked for
    "resource",  # the design does not fit the device
    "licence",
    "postprocessing",  # an analysis after the backend
    "metrics",  # a report that cannot be read
    "verification",  # two stages of the same network do not compute the same
    "timeout",
    "interrupted",
    "crash",  # the executor or a tool died
    "out_of_memory",
    "executor",  # a defect of an executor or of bskernel: garbage, undeclared outputs, leaked paths
    "unknown",
]


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failure"):
    """Why a step did not succeed."""

    category: FailureCategory
    message: str  # one sentence for the user
    cause: tuple[str, ...] = ()  # the first real error lines, innermost exception last
    hint: str | None = None  # what to do about it
    log: str | None = None  # where the whole log is; set by the kernel
    facts: dict[str, Any] = {}  # what the category was decided from: exception, exit status, signal, message ids
