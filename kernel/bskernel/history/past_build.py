"""What the history says of a build directory. Pure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.table import PointStatus


class PastBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A finished build, as its directory describes it."""

    directory: Path
    name: str
    status: PointStatus
    ended: dt.datetime  # in UTC: by its log; of a sweep's point, which has none, when result.json was written
    seconds: float
    runtime: str
    model: str | None  # its path; None when a file that the user gives could not be read
    model_sha256: str | None
    executors: dict[str, str | None]  # NAME@VERSION -> its digest; None if the result does not say it
    quantities: tuple[FoundQuantity, ...] = ()
    altered: tuple[str, ...] = ()  # files of the build that changed since: "metrics.json: altered"


class DamagedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build directory whose result cannot be read, and why."""

    directory: Path
    reason: str


class UnjudgedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build for which a condition has no answer, because a number is missing."""

    directory: Path
    reason: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Build directories, the newest first."""

    builds: tuple[PastBuild, ...]
    damaged: tuple[DamagedBuild, ...] = ()
    unjudged: tuple[UnjudgedBuild, ...] = ()


class PastStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a finished build; `cached` is None if the directory does not hold its action."""

    name: str
    executor: str
    entry: str
    status: str
    seconds: float
    key: str | None
    cached: bool | None  # the cache of this machine still has its result


class DescribedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """One build with everything that its directory says of it."""

    build: PastBuild
    bskernel: str | None  # the release that made it, with its commit
    config: dict[str, Any] | None  # None without a config.json
    steps: tuple[PastStep, ...]
    artifacts: dict[str, Artifact]
    failure: Failure | None = None
    failed_step: str | None = None
