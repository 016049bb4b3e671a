"""Which steps may start now, given what is done, what runs and the limits. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import msgspec

from bskernel.config import LimitsSection
from bskernel.core.step import FromStep, Step

JOBS, MEMORY = "jobs", "memory_mib"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A step as the scheduler sees it."""

    name: str
    after: frozenset[str] = frozenset()  # tasks that must have ended well before it starts
    demand: tuple[tuple[str, int], ...] = ()  # of each resource that it holds while it runs, how much
    after_failure: bool = False  # runs also when another has failed
    # With after_failure, where a failure is isolated: what must be over before it does without some of it.
    behind: frozenset[str] = frozenset()
    closed: bool = False  # starts only once it was admitted


def task_of(step: Step, limits: Mapping[str, int], *, after_failure: bool = False) -> Task:
    """A step holds one job, the memory that it is limited to, and one of each limited thing that its entry needs."""
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
    """How much of each resource tasks may hold at once, by its name."""
    memory = {MEMORY: section.memory_mib} if section.memory_mib is not None else {}
    return {JOBS: section.jobs or processors, **memory, **section.resources}


class Schedule:
    """The state of a build's tasks, which are given in plan order.

    Tasks start in that order where what they wait for allows it; one that fits may overtake one that does not. What
    asks for more than there is runs with nothing beside it. After a failure only tasks with `after_failure` start:
    one at a time and in order once all others have ended, so that what they find does not depend on chance.

    With `isolate`, a failure concerns only what waits for the task that failed: those with `after_failure` start once
    all that they are `behind` is over, the others never.
    """

    def __init__(self, tasks: Sequence[Task], limits: Mapping[str, int], *, isolate: bool = False) -> None:
        self._tasks = tasks
        self._isolate = isolate
        self._index = {task.name: index for index, task in enumerate(tasks)}
        self._free = dict(limits)
        self._missing = [len(task.after) + task.closed for task in tasks]
        self._closed = {index for index, task in enumerate(tasks) if task.closed}
        self._dependents: dict[str, list[int]] = {}
        # The tasks that could start but for limits, by what they ask for: few kinds, whatever the number of tasks.
        self._ready: dict[tuple[tuple[str, int], ...], list[int]] = {}
        self._alone: list[int] = []  # those that are to start when nothing else runs
        self._held: dict[str, list[int]] = {}  # those that wait for another to end, by its name
        self._running: set[str] = set()
        self._running_alone = False
        self._left: list[int] | None = None  # after a failure: what starts nevertheless, the first last
        self._begun: set[int] = set()
        self._over: set[int] = set()  # ended, or never to start
        self._awaited: dict[int, list[int]] = {}  # where failures are isolated: what must be over -> for which tasks
        self._open: dict[int, int] = {}  # such a task -> how many of those are not over
        for index, task in enumerate(tasks):
            for name in task.after:
                self._dependents.setdefault(name, []).append(index)
            if not self._missing[index]:
                self._make_ready(index)

    @property
    def running(self) -> frozenset[str]:
        """The tasks that have started and not ended."""
        return frozenset(self._running)

    @property
    def failing(self) -> bool:
        """Has a task failed?"""
        return self._left is not None

    def start(self) -> str | None:
        """The next task that may start now, which from then on runs; None when there is none for now, or at all."""
        index = self._next()
        if index is None:
            return None
        task = self._tasks[index]
        for name, amount in task.demand:
            self._free[name] -= amount
        self._running.add(task.name)
        self._begun.add(index)
        return task.name

    def _next(self) -> int | None:
        if self._left is not None:
            return self._left.pop() if self._left and not self._running else None
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
        """Without those at its head that were withdrawn."""
        while waiting and waiting[0] in self._over:
            heapq.heappop(waiting)
        return waiting

    def _fits(self, demand: tuple[tuple[str, int], ...]) -> bool:
        return all(amount <= self._free[name] for name, amount in demand)

    def ended(self, name: str, *, well: bool) -> tuple[str, ...]:
        """A task has ended; returns the tasks that will for that reason never start, where failures are isolated."""
        self._release(name)
        if not well and not self._isolate:
            self._fail()
        if self._left is not None:
            return ()
        for index in self._held.pop(name, ()):
            self._make_ready(index)
        if not well:
            return self._lose(self._index[name])[1:]
        self._close(self._index[name])
        for index in self._dependents.get(name, ()):
            self._wait_less(index)
        return ()

    def _wait_less(self, index: int) -> None:
        self._missing[index] -= 1
        if not self._missing[index]:
            self._make_ready(index)

    def admit(self, name: str) -> None:
        """A closed task may start when all that it waits for has ended."""
        index = self._index[name]
        if index not in self._closed or index in self._over:
            return
        self._closed.discard(index)
        self._wait_less(index)

    def withdraw(self, name: str) -> tuple[str, ...]:
        """A task is not to start any more: it, and those that never start for that reason; none if it has started."""
        index = self._index[name]
        if index in self._begun or index in self._over:
            return ()
        return self._lose(index)

    def _lose(self, lost: int) -> tuple[str, ...]:
        """What waits for this one waits in vain: it, and those that never start."""
        names: list[str] = []
        waiting = [lost]
        while waiting:
            index = waiting.pop()
            if index in self._over:
                continue
            self._close(index)
            names.append(self._tasks[index].name)
            for dependent in self._dependents.get(self._tasks[index].name, ()):
                if not self._tasks[dependent].after_failure:
                    waiting.append(dependent)
                elif dependent not in self._open and dependent not in self._over:
                    self._do_without(dependent)
        return tuple(names)

    def _do_without(self, index: int) -> None:
        """It starts once all that it is behind is over."""
        task = self._tasks[index]
        wanted = {self._index[name] for name in task.behind | task.after} - self._over
        for other in wanted:
            self._awaited.setdefault(other, []).append(index)
        self._open[index] = len(wanted)
        if not wanted:
            self._make_ready(index)

    def _close(self, index: int) -> None:
        self._over.add(index)
        for waiting in self._awaited.pop(index, ()):
            self._open[waiting] -= 1
            if not self._open[waiting]:
                self._make_ready(waiting)

    def hold(self, name: str, until: str) -> None:
        """A task that was just started would do what another does now: it starts again when that has ended well."""
        self._take_back(name)
        self._held.setdefault(until, []).append(self._index[name])

    def repeat_alone(self, name: str) -> bool:
        """A task did not end of itself: it is to start again when nothing else runs. False after a failure."""
        if self._left is not None:
            return False
        self._take_back(name)
        heapq.heappush(self._alone, self._index[name])
        return True

    def _make_ready(self, index: int) -> None:
        heapq.heappush(self._ready.setdefault(self._tasks[index].demand, []), index)

    def _take_back(self, name: str) -> None:
        """As if it had not started."""
        self._release(name)
        self._begun.discard(self._index[name])

    def _release(self, name: str) -> None:
        for resource, amount in self._tasks[self._index[name]].demand:
            self._free[resource] += amount
        self._running.remove(name)
        self._running_alone = False

    def _fail(self) -> None:
        if self._left is not None:
            return
        self._left = [
            index
            for index in reversed(range(len(self._tasks)))
            if self._tasks[index].after_failure and index not in self._begun
        ]
