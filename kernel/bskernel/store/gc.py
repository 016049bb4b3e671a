"""Counts a store, checks it, and says what of it may go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TypeVar

import msgspec
from bskernel_protocol import Digest

from bskernel.store.bounded_map import bounded_map
from bskernel.store.codec import blobs_of
from bskernel.store.inventory import Inventory
from bskernel.store.remote import Item, Kind

R = TypeVar("R")
GRACE_S = 86_400.0  # what no result names may be of one that is being made; it goes when it is older than this
_ANSWER_S = 60.0
_SLOWEST = 256 << 10  # bytes a second


class StoreCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds, in files and bytes."""

    results: int
    blobs: int
    bytes: int


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: blobs whose bytes are not those of their names, results of which something is missing."""

    results: int
    blobs: int
    bytes: int
    damaged: tuple[str, ...]
    dangling: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Is nothing damaged?"""
        return not self.damaged and not self.dangling


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """The blobs that a result cannot do without, and its log, by their names."""

    blobs: frozenset[str]
    log: frozenset[str]  # one, or none


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What of a store may go, and how many bytes of blobs that frees, of how many."""

    results: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    incoming: tuple[str, ...] = ()
    freed: int = 0
    bytes: int = 0


def count(shelf: Inventory) -> StoreCounts:
    """What a store holds."""
    blobs = list(shelf.items("blobs"))
    return StoreCounts(
        results=sum(1 for _ in shelf.items("actions")), blobs=len(blobs), bytes=sum(item.size for item in blobs)
    )


def check(shelf: Inventory) -> Checked:
    """Read all of a store."""
    blobs = list(shelf.items("blobs"))
    whole = _each(lambda item: _is_whole(shelf, item), blobs)
    damaged = tuple(sorted(item.name for item, good in zip(blobs, whole, strict=True) if not good))
    good = {item.name: item.size for item, good in zip(blobs, whole, strict=True) if good}
    results = list(shelf.items("actions"))
    needed = needs(shelf, results)
    dangling = tuple(
        sorted(key for key, wanted in needed.items() if wanted is None or not wanted.blobs <= good.keys())
    )
    held = sum(item.size for item in blobs)
    return Checked(results=len(results), blobs=len(blobs), bytes=held, damaged=damaged, dangling=dangling)


def needs(shelf: Inventory, results: Sequence[Item]) -> dict[str, Needed | None]:
    """Of each result what it needs; None where it, or a listing of it, is damaged."""

    def of(item: Item) -> Needed | None:
        result = shelf.result(item.name)
        blobs = blobs_of(result.outputs, shelf.read) if result is not None else None
        if result is None or blobs is None:
            return None
        log = frozenset({result.log.sha256} if result.log is not None else ())
        return Needed(blobs=frozenset(blob.sha256 for blob in blobs), log=log)

    return dict(zip([item.name for item in results], _each(of, results), strict=True))


def garbage(
    results: Iterable[Item],
    needed: Mapping[str, Needed | None],
    blobs: Iterable[Item],
    incoming: Iterable[Item],
    *,
    now: float,
    older_than_s: float | None = None,
    max_bytes: int | None = None,
    freed_at_once: bool,
    keep: Set[str] = frozenset(),
) -> Garbage:
    """Which results may go: damaged ones, those not used for so long, and those for which `max_bytes` leave no room.

    None of `keep` goes. Of the last, those used last are kept first. Their blobs go with them, where no other result
    names them. A blob that no result named before stays for a day, as one that is being made may name it; unless
    `freed_at_once`, so does one that a result names which goes.
    """
    blobs = list(blobs)
    sizes = {blob.name: blob.size for blob in blobs}
    kept: set[str] = set()
    goes: list[str] = []
    held = 0
    for item in sorted(results, key=lambda item: -_time(item, now)):
        wanted = needed[item.name]
        if wanted is None or not wanted.blobs <= sizes.keys():
            goes.append(item.name)
            continue
        names = wanted.blobs | wanted.log
        more = sum(sizes.get(name, 0) for name in names - kept)
        too_old = older_than_s is not None and now - _time(item, now) > older_than_s
        if item.name not in keep and (too_old or (max_bytes is not None and held + more > max_bytes)):
            goes.append(item.name)
        else:
            kept |= names
            held += more
    freed = {name for key in goes for name in _names(needed[key])} if freed_at_once else set()
    gone = [
        blob for blob in blobs if blob.name not in kept and (blob.name in freed or now - _time(blob, now) > GRACE_S)
    ]
    return Garbage(
        results=tuple(sorted(goes)),
        blobs=tuple(sorted(blob.name for blob in gone)),
        incoming=tuple(sorted(item.name for item in incoming if now - _time(item, now) > GRACE_S)),
        freed=sum(blob.size for blob in gone),
        bytes=sum(sizes.values()),
    )


def remove(shelf: Inventory, found: Garbage) -> None:
    """Remove what may go: results before their blobs, so that none is told of whose blobs are gone."""
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("actions", found.results),
        ("blobs", found.blobs),
        ("incoming", found.incoming),
    )
    for kind, names in kinds:
        bounded_map(lambda name, kind=kind: shelf.remove(kind, name), names, limit_s=lambda _: _ANSWER_S)  # type: ignore[misc]


def _names(needed: Needed | None) -> frozenset[str]:
    return needed.blobs | needed.log if needed is not None else frozenset()


def _time(item: Item, now: float) -> float:
    return item.time if item.time is not None else now


def _is_whole(shelf: Inventory, item: Item) -> bool:
    try:
        digest = Digest(sha256=item.name, size=item.size)
    except ValueError:
        return False
    return shelf.is_whole(digest)


def _each(function: Callable[[Item], R], items: Sequence[Item]) -> list[R]:
    return bounded_map(function, items, limit_s=lambda item: _ANSWER_S + item.size / _SLOWEST)
