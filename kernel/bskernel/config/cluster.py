"""The types of [cluster]: what is asked of a queue that starts workers."""

from __future__ import annotations

import msgspec


class ClusterSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Workers on other machines. It changes no result, and no key; what is absent is as Dask's configuration says."""

    workers: int = 1  # jobs, each with one worker
    steps: int | None = None  # steps at once in each; as many as it has cores when absent
    cores: int | None = None
    memory: str | None = None  # such as "32GB"
    queue: str | None = None
    walltime: str | None = None  # such as "12:00:00"
    directives: tuple[str, ...] = ()  # further lines of the job script's header, such as "--constraint=vivado"
    prologue: tuple[str, ...] = ()  # shell lines that the job begins with, such as "module load python/3.11"
    python: str | None = None  # the interpreter there; this one when absent
    resources: dict[str, int] = {}  # what steps need -> how many of them each worker may have at once
    logs: str | None = None  # a folder for what the jobs print; the batch system decides when absent
    cache: str | None = None  # the workers' own cache folder, on a disk of their machine

    def __post_init__(self) -> None:
        numbers = {"workers": self.workers, "steps": self.steps, "cores": self.cores}
        numbers |= {f"resources.{name}": amount for name, amount in self.resources.items()}
        for name, value in numbers.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be above 0, not {value}")
