"""A finished point and its steps."""

from __future__ import annotations

from typing import Any

import msgspec
from bskernel_protocol import Digest, Failure

from bskernel.core.metrics_form import METRICS
from bskernel.core.runtime_failures import lost_input
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.table import PointStatus
from bskernel.sweeps.planning.graph import Point


class PointStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a point, with its name and position there, and how it ended."""

    step: Step
    ended: EndedStep  # its log is empty if the store has it
    log: Digest | None = None  # its digest in the store

    @property
    def parts(self) -> tuple[PointStep, ...]:
        """Its items, and itself."""
        items = (
            PointStep(step=msgspec.structs.replace(item.step, index=self.step.index), ended=item.ended, log=item.log)
            for item in self.ended.items
        )
        return (*items, self)


class FinishedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point that has ended."""

    point: Point
    status: PointStatus
    steps: tuple[PointStep, ...]
    reason: str | None = None  # the violated requirement or the failure; if ok, the requirements without a number
    metrics: dict[str, Any] | None = None
    quantities: tuple[FoundQuantity, ...] = ()  # all numbers in its metrics
    lost_metrics: bool = False  # a step made metrics, and their bytes are gone

    @property
    def failure(self) -> Failure | None:
        """The failure of its first failed step."""
        return next((item.ended.report.failure for item in self.steps if item.ended.report.failure is not None), None)

    @property
    def lost(self) -> tuple[str, ...]:
        """The inputs and metrics that its steps made and whose bytes are gone from the cache."""
        inputs = [name for item in self.steps if (name := lost_input(item.ended.report.failure)) is not None]
        return (*inputs, METRICS) if self.lost_metrics else tuple(inputs)
