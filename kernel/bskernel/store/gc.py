"""Counts the contents of a store, verifies them, and selects what garbage collection removes."""

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
GRACE_S = (
    86_400.0  # a blob that no result names may belong to a running step; it is removed once it is older than this
)
CLAIM_S = 3600.0  # a claim that was not renewed for so long is nobody's, however clocks differ
_ANSWER_S = 60.0
_SLOWEST = 256 << 10  # bytes per second


class StoreCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a store, in files and bytes."""

    results: int
    blobs: int
    bytes: int


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: blobs that do not match their names, results that are damaged or lack parts, strays."""

    results: int
    blobs: int
    bytes: int
    damaged: tuple[str, ...]
    dangling: tuple[str, ...]
    strays: tuple[str, ...] = ()  # paths of what is no part of a store, or a damaged file that is made again

    @property
    def sound(self) -> bool:
        """True when nothing is damaged or missing."""
        return not self.damaged and not self.dangling and not self.strays


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the blobs that a result needs, and of its log, which may be missing."""

    blobs: frozenset[str]
    log: frozenset[str]  # one name or none


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What to remove from a store; `freed` and `bytes` are the bytes of the removed blobs and of all blobs."""

    results: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    incoming: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    freed: int = 0
    bytes: int = 0


def count(inventory: Inventory) -> StoreCounts:
    """Count the results, blobs and bytes of a store."""
    blobs = list(inventory.items("blobs"))
    return StoreCounts(
        results=sum(1 for _ in inventory.items("actions")),
        blobs=len(blobs),
        bytes=sum(max(0, item.size) for item in blobs),
    )


def check(inventory: Inventory) -> Checked:
    """Read and verify everything in a store."""
    blobs = list(inventory.items("blobs"))
    whole = _each(lambda item: _is_whole(inventory, item), blobs)
    damaged = tuple(sorted(item.name for item, good in zip(blobs, whole, strict=True) if not good))
    good = {item.name: item.size for item, good in zip(blobs, whole, strict=True) if good}
    results = list(inventory.items("actions"))
    needed = collect_needs(inventory, results)
    dangling = tuple(sorted(key for key, needs in needed.items() if needs is None or not needs.blobs <= good.keys()))
    held = sum(max(0, item.size) for item in blobs)
    return Checked(
        results=len(results),
        blobs=len(blobs),
        bytes=held,
        damaged=damaged,
        dangling=dangling,
        strays=tuple(sorted(inventory.strays())),
    )


def collect_needs(inventory: Inventory, results: Sequence[Item]) -> dict[str, Needed | None]:
    """The blobs that each result needs; None where the result, or the listing of one of its trees, is damaged."""

    def of(item: Item) -> Needed | None:
        result = inventory.result(item.name)
        blobs = blobs_of(result.outputs, inventory.read) if result is not None else None
        if result is None or blobs is None:
            return None
        log = frozenset({result.log.sha256} if result.log is not None else ())
        return Needed(blobs=frozenset(blob.sha256 for blob in blobs), log=log)

    return dict(zip([item.name for item in results], _each(of, results), strict=True))


def find_garbage(
    results: Iterable[Item],
    needed: Mapping[str, Needed | None],
    blobs: Iterable[Item],
    incoming: Iterable[Item],
    claims: Iterable[Item] = (),
    *,
    now: float,
    older_than_s: float | None = None,
    max_bytes: int | None = None,
    freed_at_once: bool,
    keep: Set[str] = frozenset(),
) -> Garbage:
    """Select results to remove: damaged ones, those unused for `older_than_s` seconds, and those beyond `max_bytes`.

    The most recently used results stay; those in `keep` always stay, unless damaged. Blobs that no remaining result
    names go too. A blob that no result named before stays for a day, because a running step may be about to name it;
    unless `freed_at_once`, the blobs of removed results stay for a day too.
    """
    blobs = list(blobs)
    sizes = {blob.name: blob.size for blob in blobs}
    kept: set[str] = set()
    removed: list[str] = []
    held = 0
    for item in sorted(results, key=lambda item: -_time(item, now)):
        needs = needed[item.name]
        if needs is None or not needs.blobs <= sizes.keys():
            removed.append(item.name)
            continue
        names = needs.blobs | needs.log
        more = sum(sizes.get(name, 0) for name in names - kept)
        too_old = older_than_s is not None and now - _time(item, now) > older_than_s
        if item.name not in keep and (too_old or (max_bytes is not None and held + more > max_bytes)):
            removed.append(item.name)
        else:
            kept |= names
            held += more
    freed = {name for key in removed for name in _names(needed[key])} if freed_at_once else set()
    unused = [
        blob for blob in blobs if blob.name not in kept and (blob.name in freed or now - _time(blob, now) > GRACE_S)
    ]
    return Garbage(
        results=tuple(sorted(removed)),
        blobs=tuple(sorted(blob.name for blob in unused)),
        incoming=tuple(sorted(item.name for item in incoming if now - _time(item, now) > GRACE_S)),
        claims=tuple(sorted(item.name for item in claims if now - _time(item, now) > CLAIM_S)),
        freed=sum(blob.size for blob in unused),
        bytes=sum(sizes.values()),
    )


def remove(inventory: Inventory, garbage: Garbage) -> None:
    """Remove garbage: results before their blobs, so that no result is ever listed without its blobs."""
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("actions", garbage.results),
        ("blobs", garbage.blobs),
        ("incoming", garbage.incoming),
        ("claims", garbage.claims),
    )
    for kind, names in kinds:
        bounded_map(lambda name, kind=kind: inventory.remove(kind, name), names, limit_s=lambda _: _ANSWER_S)  # type: ignore[misc]


def repair(inventory: Inventory, checked: Checked) -> None:
    """Remove what a check has found."""
    remove(inventory, Garbage(results=checked.dangling, blobs=checked.damaged))
    for path in checked.strays:
        inventory.remove_stray(path)


def _names(needed: Needed | None) -> frozenset[str]:
    return needed.blobs | needed.log if needed is not None else frozenset()


def _time(item: Item, now: float) -> float:
    return item.time if item.time is not None else now


def _is_whole(inventory: Inventory, item: Item) -> bool:
    try:
        digest = Digest(sha256=item.name, size=item.size)
    except ValueError:
        return False
    return inventory.is_whole(digest)


def _each(function: Callable[[Item], R], items: Sequence[Item]) -> list[R]:
    return bounded_map(function, items, limit_s=lambda item: _ANSWER_S + item.size / _SLOWEST)
