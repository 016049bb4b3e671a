"""Two locks compared: what differs is named, and nothing else."""

from typing import Any

import msgspec
from bskernel.lock.build_lock import BuildLock, LockedStep, Release
from bskernel.lock.differences import compare_locks, compare_values, with_executor
from hypothesis import given
from hypothesis import strategies as st
from kernel.lock.test_lock_file import LOCK, PARTS

replace = msgspec.structs.replace
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def keys(was: BuildLock, now: BuildLock) -> list[str]:
    return [difference.key for difference in compare_locks(was, now)]


@given(VALUES, VALUES)
def test_two_values_differ_in_a_key_exactly_if_they_are_not_equal(was: Any, now: Any) -> None:
    same = msgspec.json.encode(was, order="sorted") == msgspec.json.encode(now, order="sorted")
    assert bool(compare_values(was, now)) is not same
    assert compare_values(was, was) == ()


def test_each_difference_has_its_key_and_both_values() -> None:
    other = replace(LOCK.flow[0], parameters={"skip": ["names"], "width": 4})
    (found,) = compare_locks(LOCK, replace(LOCK, flow=(other, LOCK.flow[1])))
    assert str(found) == "flow.adapt.parameters.width: was null, is 4"
    (found,) = compare_locks(LOCK, replace(LOCK, files={"net.onnx": LOCK.files["net.onnx"]}))
    assert (found.key, found.now) == ('files."../samples"', "absent")


def test_a_part_of_an_executor_is_named_with_its_digest() -> None:
    parts = replace(PARTS, digest="1" * 64, sources="2" * 64)
    assert keys(LOCK, replace(LOCK, executors={"finn-step@1.6.1": parts})) == [
        'executors."finn-step@1.6.1".digest',
        'executors."finn-step@1.6.1".sources',
    ]


def test_an_inserted_step_is_one_difference_and_shifts_none() -> None:
    new = LockedStep(name="new", executor="finn-step@1.6.1", entry="new")
    assert keys(LOCK, replace(LOCK, flow=(LOCK.flow[0], new, LOCK.flow[1]))) == ["flow", "flow.new"]


def test_swapped_steps_differ() -> None:
    assert keys(LOCK, replace(LOCK, flow=LOCK.flow[::-1])) == ["flow"]


def test_the_release_of_bskernel_is_no_difference() -> None:
    assert keys(LOCK, replace(LOCK, bskernel=Release(version="9"))) == []


def test_an_upgrade_changes_one_executor_and_keeps_the_rest() -> None:
    two = replace(
        LOCK,
        executors={"finn-step@1.6.1": PARTS, "metrics@1": PARTS},
        flow=(*LOCK.flow, LockedStep(name="metrics", executor="metrics@1", entry="collect")),
    )
    changed = replace(PARTS, digest="1" * 64)
    now = replace(
        two,
        name="other",
        executors={"finn-step@1.7": changed, "metrics@1": changed},
        flow=tuple(
            replace(step, executor=step.executor.replace("1.6.1", "1.7"), parameters={"x": 1}) for step in two.flow
        ),
    )
    upgraded = with_executor(two, now, "finn-step")
    assert upgraded.executors == {"finn-step@1.7": changed, "metrics@1": PARTS}
    assert [step.executor for step in upgraded.flow] == ["finn-step@1.7", "finn-step@1.7", "metrics@1"]
    assert [step.parameters for step in upgraded.flow] == [step.parameters for step in two.flow]
    assert upgraded.name == two.name
