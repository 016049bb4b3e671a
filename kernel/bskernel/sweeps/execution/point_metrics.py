"""The numbers of points, by the metrics that their steps have made."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from bskernel_protocol import Digest

from bskernel.core.interfaces import Store
from bskernel.core.step_report import StepReport
from bskernel.result.build_result import METRICS, metrics_of, newest_artifacts
from bskernel.result.quantities import FoundQuantity, quantities_of

_KEPT = 64  # points that are judged by their numbers, and not yet told of: each holds some 50 KiB


class PointNumbers(NamedTuple):
    """What a point's metrics.json holds, and all quantities in it."""

    metrics: dict[str, Any] | None = None
    quantities: tuple[FoundQuantity, ...] = ()


class MetricsReader:
    """Finds the numbers of points in a store; those of the last ones are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[Digest, PointNumbers] = OrderedDict()

    def of(self, reports: tuple[StepReport, ...]) -> PointNumbers:
        """Those of a point whose steps have these reports; none where no step has made metrics."""
        artifact = newest_artifacts(reports).get(METRICS)
        if artifact is None:
            return PointNumbers()
        if artifact.digest not in self._known:
            metrics = metrics_of(reports, self._store)
            self._known[artifact.digest] = PointNumbers(metrics=metrics, quantities=quantities_of(metrics))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[artifact.digest]
