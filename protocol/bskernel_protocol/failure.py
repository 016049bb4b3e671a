"""A failure is data: what went wrong, the first cause, and what to do about it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

FailureCategory: TypeAlias = Literal[
    "config",  # the build's configuration asks for what cannot be
    "input",  # a given file or model is not what the step needs
    "unsupported",  # the tools cannot do this with this model
    "tool",  # a tool or library reported an error
    "crash",  # the executor or a tool died
    "timeout",
    "memory",
    "protocol",  # the executor spoke garbage
    "output",  # the executor wrote what it must not, or not what it must
    "environment",  # something this machine lacks
    "interrupted",
    "internal",  # a defect of bskernel or of an executor
]


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="failure"):
    """Why a step did not succeed."""

    category: FailureCategory
    message: str  # one sentence for the user
    cause: tuple[str, ...] = ()  # the first real error lines, innermost exception last
    hint: str | None = None  # what to do about it
    log: str | None = None  # where the whole log is; set by the kernel
