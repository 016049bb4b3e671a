"""Writes the lock of a build beside its configuration, and holds a build to it."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bskernel.core.errors import ConfigError, LockMismatch
from bskernel.core.hints import choices
from bskernel.images.engine import connect
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.differences import KeyDifference, compare_locks, with_executor
from bskernel.lock.lock_file import LOCK, lock_beside, lock_text, read_lock
from bskernel.result.written_files import replace
from bskernel.workspace.lock_maker import LockMaker, NotLockable
from bskernel.workspace.workspace import PreparedBuild, Workspace

if TYPE_CHECKING:
    import docker

Report = Callable[[str], None]
_SHOWN = 20  # differences; more are counted


class WrittenLock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that was written, with what it changed in the one before, and what still differs from what is here."""

    path: Path
    lock: BuildLock
    changed: tuple[KeyDifference, ...] | None  # None without a lock before
    left: tuple[KeyDifference, ...] = ()


class HeldBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build that is the one of its lock: the images that the lock pins, and what has to be said of it."""

    images: dict[str, str]  # NAME@VERSION -> identifier
    remarks: tuple[str, ...]


def make_lock(workspace: Workspace, prepared: PreparedBuild) -> BuildLock:
    """The lock of a planned build. Raises ConfigError for a file that cannot be read."""
    try:
        return LockMaker(workspace.store, workspace.recipe).make(prepared.loaded, prepared.plan.steps)
    except NotLockable as error:
        raise ConfigError(str(error), hint="check the files that the build is given") from error
    finally:
        workspace.files.save()


def write_lock(
    workspace: Workspace, prepared: PreparedBuild, upgrade: str | None, *, with_images: bool, report: Report
) -> WrittenLock:
    """Write the lock of a planned build beside its configuration; with `upgrade`, change that executor there alone.

    With `with_images`, or if the lock before did, it pins the executors' images, which are made if need be. Raises
    ConfigError for the config.json of a build directory, whose lock the build writes; for an unknown executor, with
    the choices. Raises EnvironmentLacking where images are pinned and no engine answers.
    """
    config = prepared.loaded.path
    if config.suffix == ".json":
        raise ConfigError(
            f"{config}: {LOCK} beside it is part of the build directory", hint="lock the build.toml instead"
        )
    path = lock_beside(config)
    before = read_lock(path) if upgrade is not None or path.exists() else None
    now = make_lock(workspace, prepared)
    if with_images or (before is not None and before.images):
        now = now.with_images(_find_images(workspace, prepared, connect(), report))
    lock = now
    if upgrade is not None and before is not None:
        name = upgrade.partition("@")[0]
        known = sorted({key.partition("@")[0] for key in (*now.executors, *before.executors)})
        if name not in known:
            raise ConfigError(f"{path}: no executor {name!r}", hint=choices(name, known, "executors"))
        lock = with_executor(before, now, name)
    replace(path, lock_text(lock).encode())
    return WrittenLock(
        path=path,
        lock=lock,
        changed=compare_locks(before, lock) if before is not None else None,
        left=compare_locks(lock, now),
    )


def require_lock(workspace: Workspace, prepared: PreparedBuild, runtime: str, report: Report) -> HeldBuild:
    """Raise LockMismatch unless the build is exactly the one that the lock beside its configuration describes.

    In containers, the images that the lock pins are made if need be, and compared. That another release of bskernel
    wrote the lock is a remark and no difference: what a release decides about bytes is in the lock's flow and
    executors. Raises ConfigError without a lock.
    """
    path = lock_beside(prepared.loaded.path)
    lock = read_lock(path)
    now = make_lock(workspace, prepared)
    found = compare_locks(lock, now.with_images(lock.images))
    remarks = []
    if lock.images and not found:
        client = None if runtime == "process" else connect() if runtime == "docker" else workspace.engine()
        if client is None:
            remarks.append(f"{path}: it pins images; these are not used here, and not compared")
        else:
            images = _find_images(workspace, prepared, client, report, names=lock.images)
            found = compare_locks(lock, now.with_images(images))
    if found:
        lines = "".join(f"\n         {difference}" for difference in found[:_SHOWN])
        more = f"\n         and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        count = "1 difference" if len(found) == 1 else f"{len(found)} differences"
        raise LockMismatch(
            f"{path}: this build is not the locked one: {count}{lines}{more}",
            hint=_remedy(found, prepared),
        )
    if lock.bskernel != now.bskernel:
        releases = f"written by bskernel {_named(lock)}; this is {_named(now)}"
        remarks.append(f"{path}: {releases}; steps and executors are the same")
    return HeldBuild(images=lock.images, remarks=tuple(remarks))


def _find_images(
    workspace: Workspace,
    prepared: PreparedBuild,
    client: docker.APIClient,
    report: Report,
    names: Container[str] | None = None,
) -> dict[str, str]:
    """The identifiers of the executors' images, or of those named, in the engine; they are made if need be."""
    from bskernel.images.container_image import ensure_image

    refs = sorted({step.executor for step in prepared.plan.steps}, key=str)
    return {
        str(ref): ensure_image(workspace.recipe(ref), client, workspace.cache, report).id
        for ref in refs
        if names is None or str(ref) in names
    }


def _remedy(found: tuple[KeyDifference, ...], prepared: PreparedBuild) -> str:
    config = prepared.loaded.path
    if config.suffix == ".json":
        return "use the version of bskernel and the files that the build was made with"
    tops = {difference.key.partition(".")[0] for difference in found}
    names = {difference.key.partition(".")[2].lstrip('"').partition("@")[0] for difference in found}
    if all(difference.key.endswith(".image") for difference in found):
        return "bskernel images check: it names what is not as the recipe makes it, and what to do"
    if tops == {"executors"} and len(names) == 1:
        return f"restore it, or accept the new one: bskernel lock {config} --upgrade {names.pop()}"
    return f"restore what changed, or accept it: bskernel lock {config}"


def _named(lock: BuildLock) -> str:
    commit = f" (commit {lock.bskernel.commit[:12]})" if lock.bskernel.commit else ""
    return f"{lock.bskernel.version}{commit}"
