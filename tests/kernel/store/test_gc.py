"""What of a store may go: decided by counting, before anything is touched."""

from bskernel.store.gc import GRACE_S, Needed, find_garbage
from bskernel.store.remote import Item
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_000_000_000.0
NAMES = "abcdefgh"
Items = list[Item]
items = st.lists(
    st.builds(
        Item, name=st.sampled_from(NAMES), size=st.integers(0, 9), time=st.floats(NOW - 9 * GRACE_S, NOW) | st.none()
    ),
    unique_by=lambda item: item.name,
)
needed = st.fixed_dictionaries(
    {
        name: st.none()
        | st.builds(
            Needed,
            blobs=st.frozensets(st.sampled_from(NAMES), max_size=3),
            log=st.frozensets(st.sampled_from(NAMES), max_size=1),
        )
        for name in NAMES
    }
)


@given(
    results=items,
    needed=needed,
    blobs=items,
    older=st.none() | st.floats(0, 9 * GRACE_S),
    most=st.none() | st.integers(0, 40),
    at_once=st.booleans(),
    keep=st.frozensets(st.sampled_from(NAMES)),
)
def test_what_stays_is_whole_and_fits_and_what_goes_nobody_needs(
    results: Items,
    needed: dict[str, Needed | None],
    blobs: Items,
    older: float | None,
    most: int | None,
    at_once: bool,
    keep: frozenset[str],
) -> None:
    found = find_garbage(
        results,
        needed,
        blobs,
        (),
        now=NOW,
        older_than_s=older,
        max_bytes=most,
        freed_at_once=at_once,
        keep=keep,
    )
    sizes = {blob.name: blob.size for blob in blobs}
    stay = [item for item in results if item.name not in found.results]
    used = set[str]()
    for item in stay:
        wanted = needed[item.name]
        assert wanted is not None
        assert wanted.blobs <= sizes.keys()
        assert wanted.blobs.isdisjoint(found.blobs)
        assert wanted.log.isdisjoint(found.blobs)
        assert older is None or item.name in keep or item.time is None or NOW - item.time <= older
        used |= wanted.blobs | wanted.log
    if most is not None and not any(item.name in keep for item in stay):
        assert sum(sizes.get(name, 0) for name in used) <= most
    for item in results:  # nothing goes without a reason
        wanted = needed[item.name]
        if item.name in found.results and wanted is not None and wanted.blobs <= sizes.keys():
            assert item.name not in keep
            assert older is not None or most is not None
    assert found.freed == sum(sizes[name] for name in found.blobs)
    if not at_once:
        young = {blob.name for blob in blobs if blob.time is None or NOW - blob.time <= GRACE_S}
        assert young.isdisjoint(found.blobs)


def test_the_longest_unused_goes_first() -> None:
    results = [Item(name=name, size=1, time=NOW - age) for name, age in (("a", 30), ("b", 10), ("c", 20))]
    blobs = [Item(name=name, size=10, time=NOW) for name in "abc"]
    wants = {name: Needed(blobs=frozenset({name}), log=frozenset()) for name in "abc"}
    found = find_garbage(results, wants, blobs, (), now=NOW, max_bytes=20, freed_at_once=True)
    assert (found.results, found.blobs, found.freed, found.bytes) == (("a",), ("a",), 10, 30)


def test_what_a_dead_writer_left_goes_after_a_day() -> None:
    left = [Item(name="old", size=1, time=NOW - GRACE_S - 1), Item(name="new", size=1, time=NOW - 1)]
    assert find_garbage((), {}, (), left, now=NOW, freed_at_once=False).incoming == ("old",)
