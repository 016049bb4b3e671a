"""Failures as data: what went wrong, the first cause, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

FailureCategory: TypeAlias = Literal[
    "model_load",  # the model is damaged, empty, or not at a stage that the step accepts
    "config",  # the build's configuration is impossible, or names an unsuitable file
    "environment",  # this machine lacks something
    "preprocessing",  # a transformation before the backend's
    "transform",  # one of the backend's transformations
    "kernel",  # a hardware layer that cannot be built as configured
    "synthesis",
    "timing",  # the design does not meet the requested clock
    "resource",  # the design does not fit the device
    "licence",
    "postprocessing",  # an analysis after the backend
    "metrics",  # a report that cannot be read
    "verification",  # two stages of the network give different results
    "timeout",
    "interrupted",
    "crash",  # the executor or a tool died
    "out_of_memory",
    "executor",  # a defect of an executor or of bskernel, e.g. an undeclared output or a leaked path
    "unknown",
]


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failure"):
    """Why a step did not succeed."""

    category: FailureCategory
    message: str  # one sentence for the user
    cause: tuple[str, ...] = ()  # the first real error lines, innermost exception last
    hint: str | None = None  # what the user can do about it
    log: str | None = None  # path of the complete log; set by the kernel
    facts: dict[str, Any] = {}  # the evidence for the category: exception, exit status, signal, message ids
