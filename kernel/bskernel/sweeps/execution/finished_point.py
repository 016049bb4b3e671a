"""Points that are over, with their steps."""

from __future__ import annotations

from typing import Any

import msgspec
from bskernel_protocol import Digest, Failure

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.table import PointStatus
from bskernel.sweeps.planning.graph import Point


class PointStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a point, under the name and the place that it has there, and what became of it."""

    step: Step
    ended: EndedStep  # its log is empty where the store has it
    log: Digest | None = None  # by which the store has it


class FinishedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point that is over."""

    point: Point
    status: PointStatus
    steps: tuple[PointStep, ...]
    reason: str | None = None  # what it broke, or failed of; of one that is ok, what could not be judged
    metrics: dict[str, Any] | None = None
    quantities: tuple[FoundQuantity, ...] = ()  # all numbers in its metrics

    @property
    def failure(self) -> Failure | None:
        """Of its first step that failed."""
        return next((item.ended.report.failure for item in self.steps if item.ended.report.failure is not None), None)
