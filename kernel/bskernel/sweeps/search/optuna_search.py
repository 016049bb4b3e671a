"""Points of a sweep chosen by an optimizer. The only module that imports Optuna.

The optimizer chooses a batch of points, they are built, and it gets their results in the order of its choice. So the
choices depend on the seed, the batch size and the results alone. No state is stored: another run chooses the same
points, and their steps are recalled.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from bskernel.config import SearchSection, SweepSection
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.sweeps.analysis.analysis import goals_of
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import Row, SweepTable
from bskernel.sweeps.search.objective_values import ObjectiveValues
from bskernel.sweeps.search.space import Between, Dimension, settings_of, size_of, some_point, space_of

if TYPE_CHECKING:
    from optuna.study import Study

Settings: TypeAlias = dict[str, Any]
PATIENCE = 10  # after this many choices without a new point, an untried point is drawn at random
MOST_DRAWN = 10_000  # draws of an untried point


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the optimizer."""

    settings: Settings
    point: str | None  # its name; None if `when` excludes it, or it was not built
    again: bool = False  # requested before: the earlier result was reported again, nothing ran


class SearchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """All built points in the order of choice, and every trial."""

    table: SweepTable
    trials: tuple[Trial, ...]
    ended: Literal["trials", "exhausted", "interrupted"]  # enough trials; no further points; by the user


def search(
    section: SweepSection,
    *,
    name: str,
    where: str,
    keeps: Callable[[Settings], bool],
    run_points: Callable[[Sequence[Settings]], Sequence[Row]],
) -> SearchOutcome:
    """Choose `section.search.trials` distinct points of the grid and build them, `batch` at once.

    `run_points` builds points and returns their rows in the same order; after an interrupt, rows that say so, or
    fewer. `keeps` says whether `when` holds. Failed points are reported as failed; points that violate `require`,
    also stopped ones, as infeasible, with the size of the violation. `where` prefixes messages. Raises
    EnvironmentLacking without Optuna; ConfigError without objectives or a grid, and for an unknown metric.
    """
    try:
        import optuna
    except ImportError:
        raise EnvironmentLacking("a search needs Optuna", hint="pip install 'bskernel[search]'") from None
    goals, space = goals_of(section, where), space_of(section, where)
    if section.search is None or not space:
        raise ConfigError(f"{where}.search: nothing to choose from", hint="give a [sweep.grid] or [sweep.zip]")
    with _silent(optuna):
        under_way = _Search(optuna, section.search, goals, space, keeps)
        ended = under_way.run(run_points)
    rows = tuple(row for row in under_way.rows.values() if row is not None)
    return SearchOutcome(table=SweepTable.of(name, rows), trials=under_way.trials(), ended=ended)


@contextlib.contextmanager
def _silent(optuna: ModuleType) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class _Asked(msgspec.Struct, frozen=True):
    trial: Any  # optuna.Trial
    settings: Settings
    key: str
    kept: bool
    again: bool


class _Search:
    """A study, and the results of the points it requested."""

    def __init__(
        self,
        optuna: ModuleType,
        section: SearchSection,
        goals: Goals,
        space: Mapping[str, Dimension],
        keeps: Callable[[Settings], bool],
    ) -> None:
        self._section = section
        self._worth = ObjectiveValues(goals)
        self._space = space
        self._keeps = keeps
        self._distributions = {key: _distribution(optuna, one) for key, one in space.items()}
        self._failed = optuna.trial.TrialState.FAIL
        self._study: Study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            sampler=_sampler(optuna, section),
            directions=[*["maximize"] * len(goals.maximize), *["minimize"] * len(goals.minimize)],
        )
        self._draw = random.Random(section.seed)  # noqa: S311 - not a secret
        self._asked: list[_Asked] = []
        self.rows: dict[str, Row | None] = {}  # by settings as text, in order of request; None until built

    def trials(self) -> tuple[Trial, ...]:
        """All requests, in order."""

        def name(asked: _Asked) -> str | None:
            row = self.rows.get(asked.key)
            return row.name if row is not None else None

        return tuple(Trial(settings=one.settings, point=name(one), again=one.again) for one in self._asked)

    def run(
        self, run_points: Callable[[Sequence[Settings]], Sequence[Row]]
    ) -> Literal["trials", "exhausted", "interrupted"]:
        """Run batches until there are enough points."""
        while (left := self._section.trials - len(self.rows)) > 0:
            batch = self._ask(min(self._section.batch, left))
            new = [asked for asked in batch if not asked.again]
            if not new:
                return "exhausted"
            rows = run_points([asked.settings for asked in new])
            for asked, row in zip(new, rows, strict=False):
                self.rows[asked.key] = row
            if len(rows) < len(new) or any(row.status == "interrupted" for row in rows):
                return "interrupted"
            self._worth.learn([row for row in self.rows.values() if row is not None])
            for asked in batch:
                self._tell(asked)
        return "trials"

    def _ask(self, wanted: int) -> list[_Asked]:
        """Request up to that many new points for one batch."""
        batch: list[_Asked] = []
        new = fruitless = 0
        while new < wanted:
            if fruitless >= PATIENCE:
                untried = self._untried()
                if untried is None:
                    break
                self._study.enqueue_trial(untried)
            asked = self._ask_one()
            self._asked.append(asked)
            if not asked.kept:
                self._study.tell(asked.trial, state=self._failed)
            elif not asked.again:
                self.rows[asked.key] = None
                new += 1
            if asked.kept and (not asked.again or self.rows[asked.key] is None):
                batch.append(asked)
            elif asked.kept:
                self._tell(asked)
            fruitless = 0 if asked.kept and not asked.again else fruitless + 1
        return batch

    def _ask_one(self) -> _Asked:
        trial = self._study.ask(self._distributions)
        settings = settings_of(self._space, trial.params)
        key = _text(settings)
        return _Asked(trial, settings, key, self._keeps(settings), key in self.rows)

    def _untried(self) -> dict[str, float] | None:
        """Draw an untried point at random: a converged optimizer repeats itself."""
        start = self._draw.randrange(size_of(self._space))
        for step in range(MOST_DRAWN):
            chosen = some_point(self._space, start + step, self._draw.random)
            settings = settings_of(self._space, chosen)
            if _text(settings) not in self.rows and self._keeps(settings):
                return chosen
        return None

    def _tell(self, asked: _Asked) -> None:
        row = self.rows[asked.key]
        values = self._worth.values(row) if row is not None else None
        if row is None or values is None:
            self._study.tell(asked.trial, state=self._failed)
            return
        for text, value in self._worth.violations(row).items():
            asked.trial.set_constraint(text, value)
        self._study.tell(asked.trial, values)


def _text(settings: Settings) -> str:
    return msgspec.json.encode(settings, order="sorted").decode()


def _distribution(optuna: ModuleType, dimension: Dimension) -> Any:
    if isinstance(dimension, Between):
        kind = optuna.distributions.IntDistribution if dimension.whole else optuna.distributions.FloatDistribution
        return kind(dimension.low, dimension.high, log=dimension.log)
    last = len(dimension.choices) - 1
    if dimension.ordered:
        return optuna.distributions.IntDistribution(0, last)
    return optuna.distributions.CategoricalDistribution(tuple(range(last + 1)))


def _sampler(optuna: ModuleType, section: SearchSection) -> Any:
    if section.sampler == "random":
        return optuna.samplers.RandomSampler(seed=section.seed)
    if section.sampler == "nsga2":
        # Several generations within the budget.
        population = max(8, min(50, section.trials // 10))
        return optuna.samplers.NSGAIISampler(seed=section.seed, population_size=population)
    return optuna.samplers.TPESampler(seed=section.seed, constant_liar=True)
