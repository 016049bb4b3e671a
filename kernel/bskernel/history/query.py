"""Which builds of the history are meant: by model, executor, date, status and conditions on metrics. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import msgspec

from bskernel.history.past_build import History, PastBuild, UnjudgedBuild
from bskernel.result.comparison.gate_names import QuantityNames
from bskernel.sweeps.analysis.constraints import Requirement, check_conditions, judge_point, read_requirements
from bskernel.sweeps.analysis.table import Row

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})", re.IGNORECASE)  # as long as nobody types by accident


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a build must be; a field that is None, or empty, demands nothing."""

    model: str | None = None  # its path, file name, name without suffix, or the beginning of its SHA-256
    executors: tuple[str, ...] = ()  # NAME, NAME@VERSION, or the beginning of a digest; a build has all of them
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    status: str | None = None
    where: tuple[str, ...] = ()  # conditions on metrics, which all hold


def select(history: History, query: Query) -> History:
    """The builds that a query means, and of the others those that its conditions cannot judge.

    Raises ConfigError for a text that is no condition, and for a quantity that none of the builds has.
    """
    check_conditions(query.where, "--where", hint="e.g. --where 'throughput > 1000'")
    meant = [build for build in history.builds if _is_meant(build, query)]
    names = QuantityNames((item for build in history.builds for item in build.quantities), "no build")
    # Without any number no name is known: then none is refused as mistyped.
    requirements = read_requirements(query.where, names, "--where") if names.names else ()
    builds, left = [], []
    for build in meant:
        reason = _judge(build, requirements) if names.names or not query.where else "it has no metrics"
        if reason is None:
            builds.append(build)
        elif reason:
            left.append(UnjudgedBuild(directory=build.directory, reason=reason))
    return msgspec.structs.replace(history, builds=tuple(builds), unjudged=tuple(left))


def _judge(build: PastBuild, requirements: Sequence[Requirement]) -> str | None:
    """None if all conditions hold, "" if one does not, else why one has no answer."""
    row = Row(name=build.name, settings={}, status=build.status, quantities=build.quantities)
    checks = [judge_point(requirement, row) for requirement in requirements]
    if any(check.kept is False for check in checks):
        return ""
    return next((check.reason for check in checks if check.kept is None), None)


def _is_meant(build: PastBuild, query: Query) -> bool:
    return (
        (query.model is None or is_model(query.model, build))
        and all(is_executor(text, build) for text in query.executors)
        and (query.since is None or build.ended >= query.since)
        and (query.until is None or build.ended <= query.until)
        and query.status in {None, build.status}
    )


def is_model(text: str, build: PastBuild) -> bool:
    """True if a text names the model of a build."""
    if build.model is None or build.model_sha256 is None:
        return False
    name = build.model.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return text in {build.model, name, stem} or _begins(text, build.model_sha256)


def is_executor(text: str, build: PastBuild) -> bool:
    """True if a text names one of the executors of a build."""
    return any(
        text in {name, name.partition("@")[0]} or (digest is not None and _begins(text, digest))
        for name, digest in build.executors.items()
    )


def _begins(text: str, digest: str) -> bool:
    found = _DIGEST.fullmatch(text)
    return found is not None and digest.startswith(found[1].lower())
