"""Reads the numbers of points from the metrics that their steps produced."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from bskernel_protocol import Digest

from bskernel.core.interfaces import Store
from bskernel.core.metrics_form import METRICS
from bskernel.core.step_report import StepReport
from bskernel.result.build_result import metrics_of, newest_artifacts
from bskernel.result.quantities import FoundQuantity, quantities_of

_CACHED = 64  # cached points, of about 50 KiB each: those judged but not yet reported


class PointNumbers(NamedTuple):
    """A point's metrics.json and all quantities in it; `lost` when a step made them and their bytes are gone."""

    metrics: dict[str, Any] | None = None
    quantities: tuple[FoundQuantity, ...] = ()
    lost: bool = False


class MetricsReader:
    """Reads the numbers of points from a store; caches the latest ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Digest, PointNumbers] = OrderedDict()

    def of(self, reports: tuple[StepReport, ...]) -> PointNumbers:
        """The numbers of a point with these reports; empty if no step produced metrics."""
        artifact = newest_artifacts(reports).get(METRICS)
        if artifact is None:
            return PointNumbers()
        if artifact.digest not in self._known:
            metrics = metrics_of(reports, self._store)
            if metrics is None:
                return PointNumbers(lost=True)
            self._known[artifact.digest] = PointNumbers(metrics=metrics, quantities=quantities_of(metrics))
            if len(self._known) > _CACHED:
                self._known.popitem(last=False)
        return self._known[artifact.digest]
