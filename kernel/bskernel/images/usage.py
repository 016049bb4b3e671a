"""What this cache's executors run in, how large it is, and when it was used last: environments and container images.

The engine serves other caches and users too, and says nothing of when an image was used. So each cache notes which
images it used, and only those are ever collected from there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bskernel.core.cache_folders import BASES
from bskernel.images.atomic_dir import DONE, lock_file
from bskernel.images.recipe import Recipe
from bskernel.remains.removal import remove

if TYPE_CHECKING:
    import docker

_NOTES = "images"  # the folder of the cache with a file per image that was used
_OFTEN_S = 3600.0  # a use is noted once in this time
Kind = Literal["environment", "image"]


class MadeItem(msgspec.Struct, frozen=True, kw_only=True):
    """An environment, with the executors' sources, or an image that this cache made or used."""

    kind: Kind
    id: str  # of a folder below the cache, or of the engine
    bytes: int  # of an image, with the layers that it shares with others
    used: float  # seconds since 1970
    recipes: tuple[str, ...]  # which of the present recipes run in it
    in_use: bool = False  # by a session, also of another process


def note_environment_use(folder: Path) -> None:
    """Note that an environment, or the folder of an executor's sources, is used now."""
    _touch(folder / DONE)


def note_image_use(cache: Path, image: str) -> None:
    """Note that an image of the engine is used now by this cache."""
    with contextlib.suppress(OSError):
        (cache / _NOTES).mkdir(exist_ok=True)
        (cache / _NOTES / _plain(image)).touch(exist_ok=True)
    _touch(cache / _NOTES / _plain(image))


def find_environments(cache: Path, recipes: Iterable[Recipe]) -> list[MadeItem]:
    """The environments and bases of a cache; none where its folder is a link, as it is another cache's."""
    users: dict[str, list[str]] = {}
    for recipe in recipes:
        users.setdefault(f"envs/{recipe.environment_digest}", []).append(recipe.name)
        users.setdefault(f"code/{recipe.code_digest}", []).append(recipe.name)
        users.setdefault(f"{BASES}/{recipe.base.digest}", []).append(recipe.name)
    running = list(_commands())
    found = []
    for kind in ("envs", "code", BASES):
        folder = cache / kind
        for name in [] if folder.is_symlink() else _names(folder):
            with contextlib.suppress(OSError):
                used = (folder / name / DONE).stat().st_mtime
                place = f"{kind}/{name}"
                found.append(
                    MadeItem(
                        kind="environment",
                        id=place,
                        bytes=_size(folder / name),
                        used=used,
                        recipes=tuple(users.get(place, ())),
                        in_use=any(place in command for command in running),
                    )
                )
    return found


def find_images(cache: Path, recipes: Iterable[Recipe], client: docker.APIClient) -> list[MadeItem]:
    """The images of the engine that this cache used, and are still there. Raises docker's exceptions."""
    from bskernel.images.recipe_image import RECIPE_LABEL

    users = {recipe.digest: recipe.name for recipe in recipes}
    running = {container["ImageID"] for container in client.containers(all=True)}
    found = []
    for image in client.images(filters={"label": RECIPE_LABEL}):
        with contextlib.suppress(OSError):
            used = (cache / _NOTES / _plain(image["Id"])).stat().st_mtime
            name = users.get(image["Labels"][RECIPE_LABEL])
            found.append(
                MadeItem(
                    kind="image",
                    id=image["Id"],
                    bytes=image["Size"],
                    used=used,
                    recipes=(name,) if name is not None else (),
                    in_use=image["Id"] in running,
                )
            )
    return found


def select_unused(
    made: Sequence[MadeItem], *, now: float, older_than_s: float | None, max_bytes: int | None
) -> tuple[MadeItem, ...]:
    """Those to remove: unused for a time, and beyond a size in total; never one in use. Pure.

    Of those beyond the size, the ones that no present recipe needs go first, then those unused the longest.
    """
    kept = sum(item.bytes for item in made)
    chosen = []
    for item in sorted(made, key=lambda item: (bool(item.recipes), item.used)):
        too_old = older_than_s is not None and now - item.used > older_than_s
        if not item.in_use and (too_old or (max_bytes is not None and kept > max_bytes)):
            chosen.append(item)
            kept -= item.bytes
    return tuple(chosen)


def remove_environment(cache: Path, item: MadeItem, report: Callable[[str], None]) -> bool:
    """Remove an environment; whoever makes it meanwhile waits. False when something in it cannot be removed."""
    folder = cache / item.id
    with lock_file(Path(f"{folder}.lock"), report):
        with contextlib.suppress(OSError):
            (folder / DONE).unlink()  # half of an environment must not count as one
        return remove(folder)


def remove_image(cache: Path, item: MadeItem, client: docker.APIClient) -> bool:
    """Remove an image, and the one of its environment when no other rests on it; False when it is in use.

    Raises docker's exceptions.
    """
    import docker

    from bskernel.images.recipe_image import ENVIRONMENT_LABEL, RECIPE_LABEL

    layers = _layers(client, item.id)
    try:
        client.remove_image(item.id, force=True)  # also where it has several names; not while a container uses it
    except docker.errors.ImageNotFound:
        pass
    except docker.errors.APIError as error:
        if error.status_code == 409:
            return False
        raise
    with contextlib.suppress(OSError):
        (cache / _NOTES / _plain(item.id)).unlink()
    stacks = {image["Id"]: _layers(client, image["Id"]) for image in client.images(filters={"label": RECIPE_LABEL})}
    for image in client.images(filters={"label": ENVIRONMENT_LABEL}):
        below = _layers(client, image["Id"])
        used = any(stack[: len(below)] == below for stack in stacks.values())
        if below and layers[: len(below)] == below and not used:
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(image["Id"], force=True)
    return True


def _layers(client: docker.APIClient, image: str) -> list[str]:
    import docker

    try:
        found: dict[str, Any] = client.inspect_image(image)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return []
    return list(found["RootFS"].get("Layers") or [])


def _plain(image: str) -> str:
    return image.removeprefix("sha256:")


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _OFTEN_S:
            os.utime(path)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _size(folder: Path) -> int:
    """The bytes of the files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{parent}/{name}").st_size
    return total


def _commands() -> Iterator[str]:
    """The command lines of the processes of this machine: a session's names its environment."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names alone
        if name.isdecimal():
            with contextlib.suppress(OSError):
                yield Path("/proc", name, "cmdline").read_bytes().decode("utf-8", "replace")
