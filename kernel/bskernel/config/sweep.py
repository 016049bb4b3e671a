"""The types of [sweep]: many builds of one build.toml."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of numbers with both ends, by step or by count; a search without either takes any number in it."""

    start: int | float = msgspec.field(name="from")
    end: int | float = msgspec.field(name="to")
    step: int | float | None = None
    count: int | None = None
    log: bool = False  # logarithmic spacing

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"from {self.start} to {self.end}: the end is before the start")
        if self.step is not None and self.count is not None:
            raise ValueError("a range has either a step or a count")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be above 0, not {self.step}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be above 0, not {self.count}")
        if self.log and self.start <= 0:
            raise ValueError(f"a log range starts above 0, not at {self.start}")
        if self.log and self.step is not None:
            raise ValueError("a log range has a count, not a step")


Values: TypeAlias = tuple[Any, ...] | Span


class SearchSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An optimizer that chooses points of the grid; needs `maximize` or `minimize`."""

    trials: int
    seed: int = 0  # the same seed tries the same points
    batch: int = 4  # trials chosen together; changes which points are tried, unlike limits.jobs
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"

    def __post_init__(self) -> None:
        for name in ("trials", "batch"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be above 0, not {value}")


class SweepSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many builds planned as one. Each point sets keys of this file by their dotted path, like --set."""

    grid: dict[str, Values] = {}  # key -> values: every combination
    zip: dict[str, Values] = {}  # key -> values that change together; combined with every point of the grid
    point: tuple[dict[str, Any], ...] = ()  # further points, each with its own keys
    when: str | tuple[str, ...] = ()  # only points for which these are true
    require: str | tuple[str, ...] = ()  # conditions on metrics: a point that violates one stops before costly steps
    maximize: str | tuple[str, ...] = ()  # metrics to maximize
    minimize: str | tuple[str, ...] = ()
    max_points: int = 10_000  # guards against a grid that is larger than intended
    search: SearchSection | None = None
    repeat: str | None = None  # a loop of the flow: each point is built again with what its last round found out
    rounds: int = 5  # of `repeat`, at most

    def __post_init__(self) -> None:
        if self.max_points < 1:
            raise ValueError(f"max_points must be above 0, not {self.max_points}")
        if self.rounds < 1:
            raise ValueError(f"rounds must be above 0, not {self.rounds}")
        if self.repeat is not None and self.search is not None:
            raise ValueError("repeat and search exclude each other: both choose points by earlier results")
        twice = sorted(self.grid.keys() & self.zip.keys())
        if twice:
            raise ValueError(f"{twice[0]} is in both grid and zip: name it once")
