"""Which steps may start now, given what is done, what runs and the limits. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import msgspec

from bskernel.config import LimitsSection
from bskernel.core.step import FromStep, Step

JOBS, MEMORY = "jobs", "memory_mib"
_ITEMS = -(1 << 40)  # items are numbered from here: below every task, so they start first


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A step as the scheduler sees it."""

    name: str
    after: frozenset[str] = frozenset()  # tasks that must succeed before it starts
    demand: tuple[tuple[str, int], ...] = ()  # (resource, amount) it holds while it runs
    after_failure: bool = False  # runs also after another task has failed
    # With after_failure and isolated failures: tasks that must end before it runs without some of them.
    behind: frozenset[str] = frozenset()
    closed: bool = False  # starts only once admitted


def task_of(step: Step, limits: Mapping[str, int], *, after_failure: bool = False) -> Task:
    """The task of a step: one job, its memory limit, and one of each limited resource that its entry needs."""
    demand = {JOBS: 1, **dict.fromkeys(step.needs, 1)}
    if step.memory_mib is not None:
        demand[MEMORY] = step.memory_mib
    sources = {source.step for source in step.inputs.values() if isinstance(source, FromStep)}
    return Task(
        name=step.name,
        after=frozenset(sources | set(step.after)),
        demand=tuple((name, amount) for name, amount in sorted(demand.items()) if name in limits),
        after_failure=after_failure,
    )


def limits_of(section: LimitsSection, processors: int) -> dict[str, int]:
    """Resource -> how much of it tasks may hold at once."""
    memory = {MEMORY: section.memory_mib} if section.memory_mib is not None else {}
    return {JOBS: section.jobs or processors, **memory, **section.resources}


class Schedule:
    """The state of a build's tasks, which are given in plan order.

    Tasks start in that order as soon as their dependencies have ended; a task that fits the limits may overtake one
    that does not. A task that asks for more than the limits runs alone. After a failure only tasks with
    `after_failure` start, in order and one at a time, once all others have ended, so timing does not change their
    inputs.

    A task that was started can be split into items. They start before other tasks, also after a failure elsewhere, as
    if the task went on; it ends once they have.

    With `isolate`, a failure affects only tasks that wait for the failed one: those with `after_failure` start once
    all tasks they are `behind` have ended, the others never.

    With `look_first`, the result of a task is looked up before it starts; a lookup holds nothing, so no limit counts.
    A task whose result is found ends without a start. Tasks that start after a failure are not looked up.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        limits: Mapping[str, int],
        *,
        isolate: bool = False,
        look_first: bool = False,
    ) -> None:
        self._tasks = dict(enumerate(tasks))
        self._isolate = isolate
        self._look_first = look_first
        self._index = {task.name: index for index, task in enumerate(tasks)}
        self._free = dict(limits)
        self._missing = [len(task.after) + task.closed for task in tasks]
        self._closed = {index for index, task in enumerate(tasks) if task.closed}
        self._dependents: dict[str, list[int]] = {}
        # Tasks that only limits hold back, by demand: there are few different demands, however many tasks.
        self._ready: dict[tuple[tuple[str, int], ...], list[int]] = {}
        self._unlooked: list[int] = []  # ready tasks whose result was not looked up
        self._looking: set[str] = set()  # tasks that are looked up
        self._missed: set[int] = set()  # tasks whose result is not known
        self._unwanted: set[int] = set()  # tasks that were withdrawn while they were looked up
        self._alone: list[int] = []  # tasks to run alone
        self._held: dict[str, list[int]] = {}  # tasks that wait for an equal one, by its name
        self._running: set[str] = set()
        self._running_alone = False
        self._items: dict[str, tuple[str, ...]] = {}  # a split task -> its items
        self._split: dict[str, str] = {}  # an item -> its task
        self._left: list[int] | None = None  # after a failure: the tasks that still start, in reverse order
        self._begun: set[int] = set()
        self._past: set[int] = set()  # ended, or never starting
        self._awaited: dict[int, list[int]] = {}  # with isolated failures: a task -> those that wait for its end
        self._open: dict[int, int] = {}  # a waiting task -> how many have not ended
        for index, task in enumerate(tasks):
            for name in task.after:
                self._dependents.setdefault(name, []).append(index)
            if not self._missing[index]:
                self._make_ready(index)

    @property
    def running(self) -> frozenset[str]:
        """The tasks that are running or looked up."""
        return frozenset(self._running | self._looking)

    @property
    def failing(self) -> bool:
        """True once a task has failed."""
        return self._left is not None

    def start(self) -> str | None:
        """Start the next task that may start now and return its name; None when there is none now."""
        index = self._next()
        if index is None:
            return None
        task = self._tasks[index]
        for name, amount in task.demand:
            self._free[name] -= amount
        self._running.add(task.name)
        self._begun.add(index)
        return task.name

    def look(self) -> str | None:
        """The next ready task whose result is to be looked up; None when there is none now.

        It ends, is split or held like one that was started, or it was `missed`.
        """
        if not self._pruned(self._unlooked):
            return None
        index = heapq.heappop(self._unlooked)
        self._looking.add(self._tasks[index].name)
        self._begun.add(index)
        return self._tasks[index].name

    def is_looked_up(self, name: str) -> bool:
        """True while the task is looked up and holds nothing."""
        return name in self._looking

    def missed(self, name: str) -> bool:
        """The result of a task that is looked up is not known: it starts when the limits allow it.

        False when it was withdrawn meanwhile, or is an item of a task that has failed: then it is still to be ended.
        """
        index = self._index[name]
        if index in self._unwanted:
            return False
        self._take_back(name)
        self._missed.add(index)
        if self._left is None or index < 0:
            self._make_ready(index)
        elif self._tasks[index].after_failure:
            self._left = sorted((*self._left, index), reverse=True)
        return True

    def _next(self) -> int | None:
        if self._left is not None and not self._items:
            return self._left.pop() if self._left and not self._running and not self._looking else None
        if self._pruned(self._alone):
            if self._running:
                return None
            self._running_alone = True
            return heapq.heappop(self._alone)
        if self._running_alone:
            return None
        first = [(ready[0], demand) for demand, ready in self._ready.items() if self._pruned(ready)]
        if not first:
            return None
        if not self._running:
            demand = min(first)[1]
            self._running_alone = not self._fits(demand)
            return heapq.heappop(self._ready[demand])
        fitting = [(index, demand) for index, demand in first if self._fits(demand)]
        return heapq.heappop(self._ready[min(fitting)[1]]) if fitting else None

    def _pruned(self, waiting: list[int]) -> list[int]:
        """Drops withdrawn tasks from the head."""
        while waiting and waiting[0] in self._past:
            heapq.heappop(waiting)
        return waiting

    def _fits(self, demand: tuple[tuple[str, int], ...]) -> bool:
        return all(amount <= self._free[name] for name, amount in demand)

    def ended(self, name: str, *, well: bool) -> tuple[str, ...]:
        """Mark a task as ended. Returns items, with isolated failures tasks, that it keeps from starting."""
        if name in self._items:
            del self._items[name]  # it holds nothing since it was split
        else:
            self._release(name)
        if name in self._split:
            self._release_held(name)
            return () if well else self._drop_items(self._split[name])
        if not well and not self._isolate:
            self._fail()
        self._release_held(name)
        if self._left is not None:
            return ()
        if not well:
            return self._lose(self._index[name])[1:]
        self._close(self._index[name])
        for index in self._dependents.get(name, ()):
            self._wait_less(index)
        return ()

    def _release_held(self, name: str) -> None:
        for index in self._held.pop(name, ()):
            if self._left is None or index < 0:
                self._make_ready(index)

    def split(self, name: str, items: Sequence[str]) -> None:
        """Let a task that was just started go on as these items, each with its demand; it ends once they have ended.

        An item's failure keeps those from starting that have not started.
        """
        self._release(name)
        self._items[name] = tuple(items)
        for item in items:
            index = _ITEMS + len(self._split)
            self._tasks[index] = Task(name=item, demand=self._tasks[self._index[name]].demand)
            self._index[item] = index
            self._split[item] = name
            self._make_ready(index)

    def _drop_items(self, name: str) -> tuple[str, ...]:
        """The items of a split task that have not started never will."""
        self._unwanted.update(self._index[item] for item in self._items[name] if item in self._looking)
        waiting = [item for item in self._items[name] if self._index[item] not in self._begun | self._past]
        self._past.update(self._index[item] for item in waiting)
        for item in waiting:
            self._release_held(item)
        return tuple(waiting)

    def _wait_less(self, index: int) -> None:
        self._missing[index] -= 1
        if not self._missing[index]:
            self._make_ready(index)

    def admit(self, name: str) -> None:
        """Let a closed task start once its dependencies have ended."""
        index = self._index[name]
        if index not in self._closed or index in self._past:
            return
        self._closed.discard(index)
        self._wait_less(index)

    def withdraw(self, name: str) -> tuple[str, ...]:
        """Withdraw a task that has not started; returns it and the tasks that will never start because of it."""
        index = self._index[name]
        if name in self._looking:
            self._unwanted.add(index)
        if index in self._begun or index in self._past:
            return ()
        return self._lose(index)

    def _lose(self, lost: int) -> tuple[str, ...]:
        """The lost task and those that will never start because of it."""
        names: list[str] = []
        waiting = [lost]
        while waiting:
            index = waiting.pop()
            if index in self._past:
                continue
            self._close(index)
            self._release_held(self._tasks[index].name)  # a task that was missed may never start
            names.append(self._tasks[index].name)
            for dependent in self._dependents.get(self._tasks[index].name, ()):
                if not self._tasks[dependent].after_failure:
                    waiting.append(dependent)
                elif dependent not in self._open and dependent not in self._past:
                    self._do_without(dependent)
        return tuple(names)

    def _do_without(self, index: int) -> None:
        """It starts once all tasks it is behind have ended."""
        task = self._tasks[index]
        wanted = {self._index[name] for name in task.behind | task.after} - self._past
        for other in wanted:
            self._awaited.setdefault(other, []).append(index)
        self._open[index] = len(wanted)
        if not wanted:
            self._make_ready(index)

    def _close(self, index: int) -> None:
        self._past.add(index)
        for waiting in self._awaited.pop(index, ()):
            self._open[waiting] -= 1
            if not self._open[waiting]:
                self._make_ready(waiting)

    def hold(self, name: str, until: str) -> None:
        """A task that was just started equals a running one: it starts again when that one has succeeded."""
        self._take_back(name)
        self._held.setdefault(until, []).append(self._index[name])

    def repeat_alone(self, name: str) -> bool:
        """Put a running task back, to start again when nothing else runs. False after a failure."""
        if self._left is not None:
            return False
        self._take_back(name)
        heapq.heappush(self._alone, self._index[name])
        return True

    def _make_ready(self, index: int) -> None:
        if self._look_first and index not in self._missed:
            heapq.heappush(self._unlooked, index)
            return
        heapq.heappush(self._ready.setdefault(self._tasks[index].demand, []), index)

    def _take_back(self, name: str) -> None:
        """Undo its start."""
        self._release(name)
        self._begun.discard(self._index[name])

    def _release(self, name: str) -> None:
        if name in self._looking:
            self._looking.remove(name)
            return
        for resource, amount in self._tasks[self._index[name]].demand:
            self._free[resource] += amount
        self._running.remove(name)
        self._running_alone = False

    def _fail(self) -> None:
        if self._left is not None:
            return
        self._left = [
            index
            for index in sorted(self._tasks, reverse=True)
            if self._tasks[index].after_failure and index not in self._begun
        ]
        # What goes on is what has started, items of split tasks among it.
        self._unlooked = sorted(index for index in self._unlooked if index < 0)
        self._alone = sorted(index for index in self._alone if index < 0)
        self._ready = {demand: sorted(at for at in ready if at < 0) for demand, ready in self._ready.items()}
