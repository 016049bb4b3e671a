"""A worker pool on workers of this machine: each takes its steps over a link, one at a time."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import platform
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.cluster.log_buffer import LogBuffer
from bskernel.cluster.messages import (
    Answer,
    Assignment,
    Broken,
    CancelStep,
    Rejected,
    Site,
    StepNews,
    StepRequest,
    Unfinished,
    decode_from_worker,
    encode,
)
from bskernel.cluster.resources import find_shortage, no_worker_has, workers_lost
from bskernel.cluster.step_ends import completion_of, interrupted, pass_on
from bskernel.cluster.version_check import code_digest, other_version
from bskernel.cluster.worker_link import WorkerLink
from bskernel.core.action import Action
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import failed_outcome
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import Completion, PoolEvent
from bskernel.host.thread import Thread


class _Task(msgspec.Struct, kw_only=True, eq=False):
    """A step that has not ended."""

    key: str
    step: Step
    demand: dict[str, int]
    message: bytes  # the encoded Assignment
    lost: int = 0  # workers that have ended while running it


class _Member(msgspec.Struct, kw_only=True, eq=False):
    """A worker, known until its link is closed."""

    name: str
    declared: Mapping[str, int]
    link: WorkerLink
    assigned: queue.SimpleQueue[_Task | None]  # None: there will be no more
    refuses: Failure | None = None  # why it can run no step
    runs: _Task | None = None

    def has(self, demand: Mapping[str, int]) -> bool:
        """True if it declares that much; a worker runs one step at a time."""
        return all(self.declared.get(name, 0) >= amount for name, amount in demand.items())


class LinkWorkerPool:
    """Runs steps on workers that come and go with links, and receives their events. A thread serves each link."""

    def __init__(
        self,
        site: Site,
        events: queue.SimpleQueue[PoolEvent],
        *,
        share: bool,
        declared: Sequence[Mapping[str, int]],
        demand_of: Callable[[Step], dict[str, int]],
        allowed_failures: int,
    ) -> None:
        """`declared` is what each worker declares, by its index; `demand_of` returns what a step takes of it.

        With `share`, a step whose result exists meanwhile is recalled. A step fails when it has lost more workers
        than `allowed_failures`.
        """
        self._site = site
        self._share = share
        self._declared = declared
        self._demand_of = demand_of
        self._allowed_failures = allowed_failures
        self._logs = LogBuffer()
        self._keys = itertools.count()
        self._lock = threading.Lock()
        self._unfinished: dict[str, _Task] = {}  # by key
        self._waiting: list[_Task] = []  # in the order in which they start
        self._members: list[_Member] = []
        self._idle: list[_Member] = []  # the one that ran a step last comes last
        self._first = threading.Event()  # a worker has answered
        self._final_failure: Failure | None = None  # why no further step can end
        self._closed = False
        self._runtime_name = "none"
        self.events = events

    @property
    def runtime_name(self) -> str:
        """The workers' runtime; "none" until a step has run."""
        return self._runtime_name

    def connect(self, index: int, name: str, link: WorkerLink) -> None:
        """Give steps to a worker: the one of that index, or one in its place. It may have started or not."""
        member = _Member(name=name, declared=self._declared[index], link=link, assigned=queue.SimpleQueue())
        with self._lock:
            self._members.append(member)
        Thread(target=self._serve, args=(member,), name=f"worker {name}", daemon=True).start()

    def disconnect(self, name: str) -> None:
        """The worker of that name does not answer the scheduler any more: it is lost, even if it has not ended."""
        with self._lock:  # so the link is not closed meanwhile
            for member in self._members:
                if member.name == name:
                    member.link.shut()

    def wait_for_one(self, longest_s: float) -> bool:
        """Wait until a worker takes steps; False if none does by then."""
        deadline = time.monotonic() + longest_s
        while not self._first.wait(min(0.5, max(0.0, deadline - time.monotonic()))):
            if self._final_failure is not None or time.monotonic() >= deadline:
                return False
        return True

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Do nothing: workers start executors when they need them."""

    def dismiss(self, executor: ExecutorRef) -> None:
        """Do nothing: workers keep executors until the run ends."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Give a step to a free worker, or to the next one. A step whose demand no worker can meet fails at once."""
        demand = self._demand_of(step)
        if (shortage := find_shortage(demand, self._declared)) is not None:
            self._finish(step, failed_outcome(no_worker_has(step, demand, shortage)))
            return
        request = StepRequest(
            site=self._site,
            step=msgspec.structs.replace(step, inputs={}),
            action=action,
            inputs=inputs,
            share=self._share,
        )
        key = f"{next(self._keys)}"
        task = _Task(key=key, step=step, demand=demand, message=encode(Assignment(key=key, request=request)))
        with self._lock:
            failure = self._final_failure
            if failure is None:
                self._unfinished[key] = task
                self._logs.begin(key)
                self._assign(task)
        if failure is not None:
            self._finish(step, failed_outcome(failure))

    def interrupt(self) -> None:
        """Cancel every step."""
        with self._lock:
            unfinished = list(self._unfinished.values())
            self._unfinished.clear()
            self._waiting.clear()
            running = [(member.link, member.runs.key) for member in self._members if member.runs is not None]
        for link, key in running:
            with contextlib.suppress(OSError):  # the worker may be gone
                link.send_soon(encode(CancelStep(key=key)))
        for task in unfinished:
            self.events.put(interrupted(task.step, self._logs.end(task.key)))

    def give_up(self, last_words: tuple[str, ...]) -> None:
        """Fail every step because all workers have ended; `last_words` are the lines that one printed last."""
        message = "workers keep ending; no more are started"
        failure = Failure(category="crash", message=message, cause=last_words)
        with self._lock:
            self._final_failure = failure
            unfinished = list(self._unfinished.values())
            self._unfinished.clear()
            self._waiting.clear()
        for task in unfinished:
            self._finish(task.step, failed_outcome(failure))

    def close(self) -> None:
        """Give out no more steps."""
        with self._lock:
            self._closed = True
            members = list(self._members)
        for member in members:
            member.assigned.put(None)

    def _assign(self, task: _Task) -> None:
        """Give the task to a free worker that has what it takes, else let it wait. The lock is held."""
        fitting = [member for member in reversed(self._idle) if member.has(task.demand)]
        if not fitting:
            self._waiting.append(task)
            return
        # What few workers have stays free for steps that need it.
        member = min(fitting, key=lambda member: sum(member.declared.values()))
        self._idle.remove(member)
        member.runs = task
        member.assigned.put(task)

    def _next(self, member: _Member) -> _Task | None:
        """The member's next task, once there is one; None when there will be none."""
        with self._lock:
            member.runs = None
            if self._closed:
                return None
            for at, task in enumerate(self._waiting):
                if member.has(task.demand):
                    member.runs = task
                    return self._waiting.pop(at)
            self._idle.append(member)
        return member.assigned.get()

    def _serve(self, member: _Member) -> None:
        sent = False
        try:
            code = member.link.receive().decode()
            if code != code_digest():
                member.refuses = other_version(build=code_digest(), worker=code)
            self._first.set()
            while (task := self._next(member)) is not None:
                if member.refuses is not None:
                    self._end(task, failed_outcome(member.refuses))
                    continue
                sent = False
                if task.key not in self._unfinished:
                    continue  # interrupted
                member.link.send(task.message)
                sent = True
                if task.key not in self._unfinished:  # and the worker may have been told so before
                    member.link.send(encode(CancelStep(key=task.key)))
                if not self._follow(task, member.link):
                    return
        except (EOFError, OSError):
            self._lose(member, ran=sent)
        except Exception as error:  # noqa: BLE001 - raised again in the deciding thread
            if (task := member.runs) is not None and self._forget(task):
                self.events.put(Completion(step=task.step, error=error))
        finally:
            with self._lock:
                self._members.remove(member)
            member.link.close()

    def _follow(self, task: _Task, link: WorkerLink) -> bool:
        """Hear of a step until it ends on the worker at the other end; False if that worker is about to end, too.

        Raises EOFError, OSError.
        """
        while True:
            message = decode_from_worker(link.receive())
            if isinstance(message, StepNews):
                self._hear(message)
                if message.answer is None:
                    continue
                if message.key == task.key:
                    self._handle_answer(task, message.answer)
            elif isinstance(message, Broken):
                if self._forget(task):
                    error = pickle.loads(message.error)  # noqa: S301 - from a process of this program
                    self.events.put(Completion(step=task.step, error=error))
            elif isinstance(message, Unfinished):
                return not self._start_again(task)
            return True

    def _hear(self, news: StepNews) -> None:
        if (task := self._unfinished.get(news.key)) is not None:
            pass_on(news, task.step, self._logs, self.events)

    def _handle_answer(self, task: _Task, answer: Answer) -> None:
        if isinstance(answer, Rejected):
            self._end(task, failed_outcome(answer.failure))
            return
        if answer.runtime != "none":
            self._runtime_name = answer.runtime
        if self._forget(task):
            self.events.put(completion_of(task.step, answer))

    def _lose(self, member: _Member, *, ran: bool) -> None:
        """The worker has ended; what it ran starts on another one."""
        with self._lock:
            task, member.runs = member.runs, None
            if member in self._idle:
                self._idle.remove(member)
        if task is None:
            return
        task.lost += ran
        if task.lost > self._allowed_failures:
            self._end(task, failed_outcome(_lost(task, member)))
        else:
            self._start_again(task)

    def _start_again(self, task: _Task) -> bool:
        """Have another worker run the step, before those that have not started; False if nobody waits for it."""
        with self._lock:
            if task.key not in self._unfinished:
                return False
            self._assign(task)
            if task in self._waiting:
                self._waiting.remove(task)
                self._waiting.insert(0, task)
            return True

    def _end(self, task: _Task, outcome: StepOutcome) -> None:
        if self._forget(task):
            self._finish(task.step, outcome)

    def _forget(self, task: _Task) -> bool:
        """The step has ended; False if nobody waits for it any more."""
        with self._lock:
            waited_for = self._unfinished.pop(task.key, None) is not None
        if waited_for:
            self._logs.end(task.key)
        return waited_for

    def _finish(self, step: Step, outcome: StepOutcome) -> None:
        self.events.put(Completion(step=step, outcome=outcome))


def _lost(task: _Task, member: _Member) -> Failure:
    return workers_lost(task.step, task.lost, f"was {member.name} on {platform.node()}")
