"""Which steps start when: arithmetic on tasks that nothing carries out."""

import random
from pathlib import Path

import pytest
from bskernel.config import LimitsSection
from bskernel.core.step import ExecutorRef, FromFile, FromStep, Step
from bskernel.execution.scheduler import Schedule, Task, limits_of, task_of
from hypothesis import given, settings
from hypothesis import strategies as st

ONE = (("jobs", 1),)


def task(name: str, *after: str, demand: tuple[tuple[str, int], ...] = ONE, after_failure: bool = False) -> Task:
    return Task(name=name, after=frozenset(after), demand=demand, after_failure=after_failure)


def startable(schedule: Schedule) -> list[str]:
    """All that start now."""
    started = []
    while (name := schedule.start()) is not None:
        started.append(name)
    return started


def test_one_job_is_the_plan_s_order() -> None:
    tasks = [task("a"), task("b", "a"), task("c"), task("d", "b"), task("e")]
    schedule = Schedule(tasks, {"jobs": 1})
    order = []
    while (name := schedule.start()) is not None:
        assert schedule.start() is None
        order.append(name)
        schedule.ended(name, well=True)
    assert order == ["a", "b", "c", "d", "e"]


def test_a_step_starts_when_all_that_it_takes_is_made() -> None:
    schedule = Schedule([task("a"), task("b"), task("c", "a", "b"), task("d", "a")], {"jobs": 9})
    assert startable(schedule) == ["a", "b"]
    schedule.ended("b", well=True)
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["c", "d"]


def test_what_does_not_fit_is_overtaken_and_starts_when_there_is_room() -> None:
    def large(name: str, memory: int) -> Task:
        return task(name, demand=(("jobs", 1), ("memory_mib", memory)))

    schedule = Schedule(
        [large("a", 600), large("b", 600), large("c", 300), task("d")], {"jobs": 3, "memory_mib": 1000}
    )
    assert startable(schedule) == ["a", "c", "d"]
    schedule.ended("d", well=True)
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["b"]


def test_what_asks_for_more_than_there_is_runs_with_nothing_beside_it() -> None:
    huge = task("b", demand=(("jobs", 1), ("memory_mib", 5000)))
    schedule = Schedule([task("a"), huge, task("c")], {"jobs": 2, "memory_mib": 1000})
    assert startable(schedule) == ["a", "c"]
    schedule.ended("c", well=True)
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["b"]
    first = Schedule([huge, task("c"), task("d")], {"jobs": 2, "memory_mib": 1000})
    assert startable(first) == ["b"]


def test_after_a_failure_only_what_is_for_failures_starts_in_order_once_the_rest_has_ended() -> None:
    tasks = [task("a"), task("b"), task("c"), task("d", "c", after_failure=True), task("e", "a", after_failure=True)]
    schedule = Schedule(tasks, {"jobs": 2})
    assert startable(schedule) == ["a", "b"]
    schedule.ended("a", well=False)
    assert startable(schedule) == []
    schedule.ended("b", well=True)
    assert startable(schedule) == ["d"]
    schedule.ended("d", well=True)
    assert startable(schedule) == ["e"]
    schedule.ended("e", well=True)
    assert startable(schedule) == []
    assert schedule.failing


def test_what_equals_a_running_step_waits_for_it_and_holds_nothing() -> None:
    schedule = Schedule([task("a"), task("b"), task("c")], {"jobs": 2})
    assert schedule.start() == "a"
    assert schedule.start() == "b"
    schedule.hold("b", until="a")
    assert startable(schedule) == ["c"]
    schedule.ended("a", well=True)
    assert startable(schedule) == ["b"]


def test_what_is_repeated_alone_has_nothing_beside_it() -> None:
    schedule = Schedule([task("a"), task("b"), task("c")], {"jobs": 2})
    assert startable(schedule) == ["a", "b"]
    assert schedule.repeat_alone("a")
    assert startable(schedule) == []
    schedule.ended("b", well=True)
    assert startable(schedule) == ["a"]
    schedule.ended("a", well=True)
    assert startable(schedule) == ["c"]


def test_nothing_is_repeated_after_a_failure() -> None:
    schedule = Schedule([task("a"), task("b")], {"jobs": 2})
    assert startable(schedule) == ["a", "b"]
    schedule.ended("a", well=False)
    assert not schedule.repeat_alone("b")
    assert schedule.running == {"b"}


def test_a_step_holds_what_is_limited_and_waits_for_what_it_takes() -> None:
    step = Step(
        index=3, name="s", executor=ExecutorRef(name="e", version="1", digest="d"), entry="x", parameters={},
        inputs={"a": FromStep(step="one", output="a"), "m": FromFile(path=Path("m"), kind="file")}, outputs=(),
        needs=("vivado", "board"), memory_mib=512, after=("check",),
    )  # fmt: skip
    limits = limits_of(LimitsSection(memory_mib=1000, resources={"vivado": 2}), processors=4)
    assert limits == {"jobs": 4, "memory_mib": 1000, "vivado": 2}
    made = task_of(step, limits)
    assert made.after == {"one", "check"}
    assert dict(made.demand) == {"jobs": 1, "memory_mib": 512, "vivado": 1}
    assert dict(task_of(step, {"jobs": 1}).demand) == {"jobs": 1}
    assert limits_of(LimitsSection(jobs=7), processors=4) == {"jobs": 7}


@pytest.mark.parametrize("wrong", [{"jobs": 0}, {"memory_mib": -1}, {"resources": {"vivado": 0}}])
def test_a_limit_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        LimitsSection(**wrong)  # type: ignore[arg-type]


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Task], dict[str, int]]:
    tasks = []
    for index in range(draw(st.integers(0, 12))):
        after = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        memory = draw(st.one_of(st.none(), st.integers(1, 40)))
        demand = (*ONE, *([("memory_mib", memory)] if memory else []))
        tasks.append(task(str(index), *map(str, after), demand=demand, after_failure=draw(st.integers(0, 5)) == 0))
    return tasks, {"jobs": draw(st.integers(1, 4)), "memory_mib": draw(st.integers(1, 60))}


@settings(max_examples=400, deadline=None)
@given(plans(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.1, 0.4]))
def test_whatever_happens_limits_hold_order_is_kept_and_all_ends(
    plan: tuple[list[Task], dict[str, int]], chance: random.Random, failing: float
) -> None:
    tasks, limits = plan
    by_name = {item.name: item for item in tasks}
    schedule = Schedule(tasks, limits)
    well: set[str] = set()
    over: set[str] = set()
    alone: str | None = None
    repeated: set[str] = set()
    while True:
        while (name := schedule.start()) is not None:
            assert name not in over
            assert schedule.failing or by_name[name].after <= well
            assert not schedule.failing or (by_name[name].after_failure and schedule.running == {name})
            others = schedule.running - {name}
            if name in repeated and not schedule.failing:
                assert not others
                alone = name
            assert alone in {None, name}
            for resource, limit in limits.items():
                used = sum(dict(by_name[running].demand).get(resource, 0) for running in schedule.running)
                assert used <= limit or not others
            if others and not schedule.failing and chance.random() < 0.2:
                schedule.hold(name, until=chance.choice(sorted(others)))
        if not schedule.running:
            break
        name = chance.choice(sorted(schedule.running))
        if name not in repeated and chance.random() < 0.2 and schedule.repeat_alone(name):
            repeated.add(name)
            continue
        ended_well = chance.random() >= failing
        schedule.ended(name, well=ended_well)
        over.add(name)
        well |= {name} if ended_well else set()
        alone = None if name == alone else alone
    due = {item.name for item in tasks if not schedule.failing or item.after_failure}
    assert due <= over
    if not schedule.failing:
        assert over == set(by_name)


def test_a_task_that_was_to_start_again_still_does_so_after_a_failure() -> None:
    schedule = Schedule([task("a"), task("b"), task("collect", after_failure=True)], {"jobs": 3})
    assert [schedule.start() for _ in range(3)] == ["a", "b", "collect"]
    schedule.hold("collect", until="a")
    schedule.ended("a", well=True)  # it may start again, and has not yet
    schedule.ended("b", well=False)
    assert schedule.start() == "collect"


def isolating(*tasks: Task, jobs: int = 9) -> Schedule:
    return Schedule(tasks, {"jobs": jobs}, isolate=True)


def behind(name: str, *after: str, names: str) -> Task:
    return Task(name=name, after=frozenset(after), demand=ONE, after_failure=True, behind=frozenset(names))


def test_an_isolated_failure_concerns_what_waits_for_it_and_nothing_else() -> None:
    schedule = isolating(task("a"), task("b", "a"), task("c", "b"), task("d"), task("e", "d"))
    assert startable(schedule) == ["a", "d"]
    assert sorted(schedule.ended("a", well=False)) == ["b", "c"]
    assert not schedule.failing
    assert schedule.ended("d", well=True) == ()
    assert startable(schedule) == ["e"]
    assert schedule.ended("e", well=True) == ()
    assert startable(schedule) == []


def test_what_is_for_failures_waits_until_all_before_it_is_over_where_failures_are_isolated() -> None:
    schedule = isolating(task("a"), task("b", "a"), task("c"), behind("m", "b", names="abc"), task("n", "m"))
    assert startable(schedule) == ["a", "c"]
    assert schedule.ended("a", well=False) == ("b",)
    assert startable(schedule) == []
    schedule.ended("c", well=True)
    assert startable(schedule) == ["m"]
    schedule.ended("m", well=True)
    assert startable(schedule) == ["n"]


def test_what_is_withdrawn_never_starts_nor_what_waits_for_it() -> None:
    schedule = isolating(task("a"), task("b"), task("c", "b"), task("d"), jobs=1)
    assert schedule.start() == "a"
    assert schedule.withdraw("a") == ()
    assert sorted(schedule.withdraw("b")) == ["b", "c"]
    assert schedule.withdraw("b") == ()
    schedule.ended("a", well=True)
    assert startable(schedule) == ["d"]


def test_what_is_for_failures_starts_when_what_it_takes_is_withdrawn() -> None:
    schedule = isolating(task("a"), behind("m", "a", names="a"))
    assert schedule.withdraw("a") == ("a",)
    assert startable(schedule) == ["m"]


def test_what_waits_for_another_to_do_the_same_starts_when_that_fails_where_failures_are_isolated() -> None:
    schedule = isolating(task("a"), task("b"))
    assert startable(schedule) == ["a", "b"]
    schedule.hold("b", until="a")
    assert schedule.ended("a", well=False) == ()
    assert startable(schedule) == ["b"]


def test_a_closed_task_starts_once_it_is_admitted_and_all_that_it_waits_for_has_ended() -> None:
    shut = Task(name="b", after=frozenset("a"), demand=ONE, closed=True)
    early = Task(name="c", demand=ONE, closed=True)
    schedule = isolating(task("a"), shut, early, task("d", "b"))
    assert startable(schedule) == ["a"]
    schedule.admit("b")
    schedule.admit("a")
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["b"]
    schedule.admit("b")
    assert startable(schedule) == []
    assert schedule.withdraw("c") == ("c",)
    schedule.admit("c")
    schedule.ended("b", well=True)
    assert startable(schedule) == ["d"]


def test_a_held_task_can_be_withdrawn() -> None:
    schedule = isolating(task("a"), task("b"))
    assert startable(schedule) == ["a", "b"]
    schedule.hold("b", until="a")
    assert schedule.withdraw("b") == ("b",)
    schedule.ended("a", well=True)
    assert startable(schedule) == []


@settings(max_examples=400, deadline=None)
@given(plans(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([0.0, 0.2]))
def test_isolated_failures_and_withdrawals_leave_all_else_to_end(
    plan: tuple[list[Task], dict[str, int]], chance: random.Random, failing: float, withdrawing: float
) -> None:
    tasks = [
        Task(
            name=item.name,
            after=item.after,
            demand=item.demand,
            after_failure=item.after_failure,
            behind=frozenset(map(str, range(int(item.name)))) if item.after_failure else frozenset(),
        )
        for item in plan[0]
    ]
    by_name = {item.name: item for item in tasks}
    schedule = Schedule(tasks, plan[1], isolate=True)
    well: set[str] = set()
    ended: set[str] = set()
    never: set[str] = set()
    while True:
        if chance.random() < withdrawing and tasks:
            lost = schedule.withdraw(chance.choice(tasks).name)
            assert not never & set(lost)
            never |= set(lost)
        while (name := schedule.start()) is not None:
            item = by_name[name]
            assert name not in ended | never
            assert item.after <= well or (item.after_failure and item.behind <= ended | never)
            others = schedule.running - {name}
            if others and chance.random() < 0.2:
                schedule.hold(name, until=chance.choice(sorted(others)))
        if not schedule.running:
            break
        name = chance.choice(sorted(schedule.running))
        good = chance.random() >= failing
        ended.add(name)
        well |= {name} if good else set()
        lost = schedule.ended(name, well=good)
        assert not never & set(lost)
        never |= set(lost)
    assert ended | never == set(by_name)
    assert not ended & never


def test_items_of_a_split_task_start_before_other_tasks_and_what_waits_for_it_starts_once_it_has_ended() -> None:
    schedule = Schedule([task("a"), task("b", "a"), task("c")], {"jobs": 2})
    assert schedule.start() == "a"
    schedule.split("a", ("a.x", "a.y", "a.z"))
    assert startable(schedule) == ["a.x", "a.y"]
    assert schedule.ended("a.x", well=True) == ()
    assert startable(schedule) == ["a.z"]
    schedule.ended("a.y", well=True)
    assert startable(schedule) == ["c"]
    schedule.ended("a.z", well=True)
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["b"]


def test_an_item_demands_what_its_task_demands() -> None:
    large = task("a", demand=(("jobs", 1), ("memory_mib", 600)))
    schedule = Schedule([large, task("b")], {"jobs": 3, "memory_mib": 1000})
    assert schedule.start() == "a"
    schedule.split("a", ("a.x", "a.y"))
    assert startable(schedule) == ["a.x", "b"]
    schedule.ended("a.x", well=True)
    assert startable(schedule) == ["a.y"]


def test_a_failed_item_keeps_its_siblings_from_starting_and_fails_nothing_else_by_itself() -> None:
    schedule = Schedule([task("a"), task("b")], {"jobs": 2})
    assert schedule.start() == "a"
    schedule.split("a", ("a.w", "a.x", "a.y", "a.z"))
    assert startable(schedule) == ["a.w", "a.x"]
    assert schedule.ended("a.w", well=False) == ("a.y", "a.z")
    assert not schedule.failing
    assert startable(schedule) == ["b"]
    assert schedule.ended("a.x", well=False) == ()
    schedule.ended("a", well=False)
    assert schedule.failing


def test_items_go_on_after_a_failure_elsewhere_and_what_is_for_failures_waits_for_them() -> None:
    tasks = [task("a"), task("b"), task("c"), task("d", after_failure=True)]
    schedule = Schedule(tasks, {"jobs": 2})
    assert schedule.start() == "a"
    assert schedule.start() == "b"
    schedule.split("a", ("a.x", "a.y", "a.z"))
    assert startable(schedule) == ["a.x"]
    schedule.ended("b", well=False)
    assert startable(schedule) == ["a.y"]
    schedule.ended("a.x", well=True)
    schedule.ended("a.y", well=True)
    assert startable(schedule) == ["a.z"]
    schedule.ended("a.z", well=True)
    assert startable(schedule) == []
    schedule.ended("a", well=True)
    assert startable(schedule) == ["d"]


def test_an_item_is_repeated_alone_and_waits_for_an_equal_one() -> None:
    schedule = Schedule([task("a"), task("b")], {"jobs": 3})
    assert schedule.start() == "a"
    schedule.split("a", ("a.x", "a.y"))
    assert startable(schedule) == ["a.x", "a.y", "b"]
    schedule.hold("a.y", until="b")
    assert schedule.repeat_alone("a.x")
    assert startable(schedule) == []
    schedule.ended("b", well=True)
    assert schedule.start() == "a.x"
    assert startable(schedule) == []
    schedule.ended("a.x", well=True)
    assert startable(schedule) == ["a.y"]


@settings(max_examples=200)
@given(st.data())
def test_whatever_fails_every_task_and_item_that_starts_ends_and_the_schedule_comes_to_rest(
    data: st.DataObject,
) -> None:
    names = [f"t{at}" for at in range(data.draw(st.integers(1, 5)))]
    tasks = [
        task(
            name,
            *data.draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else (),
            after_failure=data.draw(st.booleans()),
        )
        for at, name in enumerate(names)
    ]
    schedule = Schedule(tasks, {"jobs": data.draw(st.integers(1, 3))}, isolate=data.draw(st.booleans()))
    running: list[str] = []
    open_items: dict[str, set[str]] = {}
    seen: list[str] = []
    while True:
        while (name := schedule.start()) is not None:
            seen.append(name)
            items = data.draw(st.integers(0, 3)) if "." not in name and not schedule.failing else 0
            if items:
                open_items[name] = {f"{name}.{at}" for at in range(items)}
                schedule.split(name, tuple(sorted(open_items[name])))
            else:
                running.append(name)
        assert schedule.running == set(running)
        if not running:
            break
        name = running.pop(data.draw(st.integers(0, len(running) - 1)))
        well = data.draw(st.booleans())
        never = schedule.ended(name, well=well)
        whole = name.partition(".")[0]
        if whole != name:
            open_items[whole] -= {name, *never}
            if not open_items[whole]:
                del open_items[whole]
                schedule.ended(whole, well=well)
    assert not open_items
    assert len(seen) == len(set(seen))


# Results that are looked up before a task starts


def looked(schedule: Schedule) -> list[str]:
    """All that can be looked up now."""
    names = []
    while (name := schedule.look()) is not None:
        names.append(name)
    return names


def test_lookups_hold_nothing_and_what_is_found_never_starts() -> None:
    schedule = Schedule([task("a"), task("b"), task("c", "a"), task("d", "b")], {"jobs": 1}, look_first=True)
    assert startable(schedule) == []
    assert looked(schedule) == ["a", "b"]
    assert schedule.running == {"a", "b"}
    schedule.ended("a", well=True)
    assert looked(schedule) == ["c"]
    assert schedule.missed("c")
    assert schedule.missed("b")
    assert startable(schedule) == ["b"], "in the plan's order, within the limit"
    assert looked(schedule) == [], "once each"
    schedule.ended("b", well=True)
    assert startable(schedule) == ["c"]
    assert looked(schedule) == ["d"]


def test_after_a_failure_nothing_is_looked_up_and_what_is_for_failures_waits_for_lookups() -> None:
    tasks = [task("a"), task("b"), task("c", "b"), task("d"), task("e", "b", after_failure=True)]
    schedule = Schedule(tasks, {"jobs": 9}, look_first=True)
    assert looked(schedule) == ["a", "b", "d"]
    for name in ("a", "d"):
        assert schedule.missed(name)
    assert startable(schedule) == ["a", "d"]
    schedule.ended("a", well=False)
    schedule.ended("d", well=True)
    assert looked(schedule) == startable(schedule) == []
    assert schedule.missed("b"), "it does not start any more"
    assert startable(schedule) == ["e"]


def test_a_task_for_failures_that_was_looked_up_before_the_failure_starts_once() -> None:
    tasks = [task("a"), task("b", after_failure=True), task("c", after_failure=True)]
    schedule = Schedule(tasks, {"jobs": 9}, look_first=True)
    assert looked(schedule) == ["a", "b", "c"]
    assert schedule.missed("a")
    assert startable(schedule) == ["a"]
    schedule.ended("a", well=False)
    assert schedule.missed("c")
    assert startable(schedule) == []
    assert schedule.missed("b")
    assert startable(schedule) == ["b"]
    schedule.ended("b", well=True)
    assert startable(schedule) == ["c"]
    schedule.ended("c", well=True)
    assert startable(schedule) == []


def test_what_is_withdrawn_while_it_is_looked_up_is_found_or_never_starts() -> None:
    tasks = [task("a"), task("b"), task("c", "b")]
    schedule = Schedule(tasks, {"jobs": 9}, isolate=True, look_first=True)
    assert looked(schedule) == ["a", "b"]
    assert schedule.withdraw("a") == schedule.withdraw("b") == ()
    schedule.ended("a", well=True)
    assert not schedule.missed("b")
    assert schedule.ended("b", well=False) == ("c",)
    assert startable(schedule) == looked(schedule) == []
    assert schedule.running == frozenset()


def test_items_of_a_task_that_was_looked_up_are_looked_up_and_after_one_s_failure_no_other_starts() -> None:
    schedule = Schedule([task("a"), task("b")], {"jobs": 1}, look_first=True)
    assert schedule.look() == "a"
    schedule.split("a", ["a.x", "a.y", "a.z"])
    assert looked(schedule) == ["a.x", "a.y", "a.z", "b"]
    assert schedule.missed("b")
    assert schedule.missed("a.x")
    assert startable(schedule) == ["a.x"], "items come first"
    assert schedule.missed("a.y")
    assert schedule.ended("a.x", well=False) == ("a.y",)
    assert not schedule.missed("a.z")
    schedule.ended("a.z", well=True)
    schedule.ended("a", well=False)
    assert startable(schedule) == []


def test_a_task_that_waits_for_an_equal_one_which_never_starts_is_ready_itself() -> None:
    schedule = Schedule([task("a"), task("b")], {"jobs": 9}, isolate=True, look_first=True)
    assert looked(schedule) == ["a", "b"]
    schedule.hold("b", until="a")
    assert schedule.missed("a")
    assert schedule.withdraw("a") == ("a",)
    assert looked(schedule) == ["b"]
    assert schedule.missed("b")
    assert startable(schedule) == ["b"]


@settings(max_examples=400, deadline=None)
@given(plans(), st.randoms(use_true_random=False), st.sampled_from([0.0, 0.1, 0.4]), st.sampled_from([0.0, 0.5, 1.0]))
def test_whatever_lookups_find_limits_hold_and_all_ends(
    plan: tuple[list[Task], dict[str, int]], chance: random.Random, failing: float, found: float
) -> None:
    tasks, limits = plan
    by_name = {item.name: item for item in tasks}
    schedule = Schedule(tasks, limits, look_first=True)
    looking: set[str] = set()
    well: set[str] = set()
    over: set[str] = set()
    asked: set[str] = set()
    while True:
        while len(looking) < 3 and (name := schedule.look()) is not None:
            assert not schedule.failing
            assert by_name[name].after <= well
            assert name not in asked
            asked.add(name)
            looking.add(name)
        while (name := schedule.start()) is not None:
            assert name not in over
            assert schedule.failing or (name in asked and by_name[name].after <= well)
            assert not schedule.failing or (by_name[name].after_failure and schedule.running == {name})
            running = schedule.running - looking
            for resource, limit in limits.items():
                used = sum(dict(by_name[other].demand).get(resource, 0) for other in running)
                assert used <= limit or running == {name}
        if not schedule.running:
            break
        name = chance.choice(sorted(schedule.running))
        if name in looking:
            looking.discard(name)
            if chance.random() >= found:
                assert schedule.missed(name)
                continue
        ended_well = name not in asked or chance.random() >= failing
        schedule.ended(name, well=ended_well)
        over.add(name)
        well |= {name} if ended_well else set()
    due = {item.name for item in tasks if not schedule.failing or item.after_failure}
    assert due <= over
    if not schedule.failing:
        assert over == set(by_name)
