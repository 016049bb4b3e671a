"""The types of [cluster]: the jobs that a batch system starts as workers."""

from __future__ import annotations

import msgspec


class ClusterSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Workers on other machines. Changes no result and no cache key. Defaults come from Dask's configuration."""

    workers: int = 1  # jobs, each with one worker
    steps: int | None = None  # steps at once per worker; default: its cores
    cores: int | None = None
    memory: str | None = None  # e.g. "32GB"
    queue: str | None = None
    walltime: str | None = None  # e.g. "12:00:00"
    directives: tuple[str, ...] = ()  # more header lines of the job script, e.g. "--constraint=vivado"
    prologue: tuple[str, ...] = ()  # shell lines at the start of the job, e.g. "module load python/3.11"
    python: str | None = None  # the interpreter on the workers; default: this one
    resources: dict[str, int] = {}  # a need of steps -> how many each worker may run at once
    logs: str | None = None  # folder for the jobs' output; default: the batch system decides
    cache: str | None = None  # the workers' cache folder, on their own disk

    def __post_init__(self) -> None:
        numbers = {"workers": self.workers, "steps": self.steps, "cores": self.cores}
        numbers |= {f"resources.{name}": amount for name, amount in self.resources.items()}
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be above 0, not {value}")
