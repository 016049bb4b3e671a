"""Workers of this machine: which gets what, and what becomes of a step when one ends. Here the test plays them."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bskernel.cluster import link_worker
from bskernel.cluster.link_pool import LinkWorkerPool
from bskernel.cluster.link_worker import LinkWorker
from bskernel.cluster.messages import (
    Assignment,
    Broken,
    CancelStep,
    Rejected,
    Site,
    StepAnswer,
    StepNews,
    StepRequest,
    ToWorker,
    Unfinished,
    decode_from_worker,
    decode_to_worker,
    encode,
)
from bskernel.cluster.version_check import code_digest
from bskernel.cluster.worker_link import WorkerLink, connect
from bskernel.core.action import ActionResult, action_of
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import Completion
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import PoolEvent, StepEvent
from bskernel_protocol import Failure, OutputLine, Progress
from support.eventually import eventually

SITE = Site(code="c", root="/r", runtime="process", cache="/c", shared=None, handed_over=False)
MADE = StepOutcome(result=ActionResult(outputs=(), record={}), failure=None, log=b"")
ANSWER = StepAnswer(outcome=MADE, seconds=1.0, recalled=False, doubtful=False, runtime="process", worker="w")


def step_of(name: str, *needs: str) -> Step:
    executor = ExecutorRef(name="e", version="1", digest="d")
    return Step(index=0, name=name, executor=executor, entry="x", parameters={}, inputs={}, outputs=(), needs=needs)


class FakeWorker:
    """The other end of a link."""

    def __init__(self, descriptor: int, code: str) -> None:
        self.link = WorkerLink(descriptor)
        self.link.send(code.encode())

    def hear(self) -> ToWorker:
        return decode_to_worker(self.link.receive())

    def take(self, name: str) -> str:
        """The key of the next assignment, which is of that step."""
        heard = self.hear()
        assert isinstance(heard, Assignment)
        assert heard.request.step.name == name
        return heard.key

    def say(self, message: StepNews | Unfinished | Broken) -> None:
        self.link.send(encode(message))

    def answer(self, key: str) -> None:
        self.say(StepNews(key=key, events=(), answer=ANSWER))

    def end(self) -> None:
        self.link.close()


class Floor:
    """A pool, and the workers that it was given."""

    def __init__(self, *declared: dict[str, int], allowed_failures: int = 3) -> None:
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()
        self.pool = LinkWorkerPool(
            SITE,
            self.events,
            share=True,
            declared=declared,
            demand_of=lambda step: dict.fromkeys(step.needs, 1),
            allowed_failures=allowed_failures,
        )

    def worker(self, index: int = 0, *, code: str | None = None) -> FakeWorker:
        """A worker that has a step or waits for one."""
        here, there = connect()
        self.pool.connect(index, f"local-{index}", here)
        member = self.pool._members[-1]
        worker = FakeWorker(there, code or code_digest())
        eventually(lambda: member in self.pool._idle or member.runs is not None)
        return worker

    def begin(self, *steps: Step) -> None:
        for step in steps:
            self.pool.begin(step, action_of(step, {}), {})

    def end(self) -> Completion:
        said = self.events.get(timeout=20)
        assert isinstance(said, Completion), said
        return said

    def failure(self) -> Failure:
        failure = self.end().outcome.failure
        assert failure is not None
        return failure


@pytest.fixture
def floor() -> Iterator[Floor]:
    made = Floor({}, {}, allowed_failures=1)
    yield made
    made.pool.close()


def test_each_worker_has_one_step_and_gets_the_next_when_it_has_answered(floor: Floor) -> None:
    one = floor.worker()
    floor.begin(step_of("a"), step_of("b"))
    key = one.take("a")
    two = floor.worker(1)
    other = two.take("b")
    floor.begin(step_of("c"), step_of("d"))
    two.answer(other)
    last = two.take("c")
    assert floor.end().step.name == "b"
    one.answer(key)
    one.answer(one.take("d"))
    two.answer(last)
    assert {floor.end().step.name for _ in range(3)} == {"a", "c", "d"}
    assert floor.pool.runtime_name == "process"


def test_what_a_step_says_comes_in_order_and_before_its_end(floor: Floor) -> None:
    worker = floor.worker()
    step = step_of("a")
    floor.begin(step)
    key = worker.take("a")
    said = [OutputLine(directory="a-3", stream="stdout", text=text) for text in ("one", "two")]
    worker.say(StepNews(key=key, events=(said[0],)))
    worker.say(StepNews(key=key, events=(said[1],), answer=ANSWER))
    for text in ("one", "two"):
        event = floor.events.get(timeout=20)
        assert isinstance(event, StepEvent)
        assert event.event == OutputLine(directory=step.label, stream="stdout", text=text)
    assert floor.end().outcome == MADE


def test_the_step_of_a_lost_worker_comes_first_on_another_one(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"), step_of("b"))
    worker.take("a")
    worker.end()
    eventually(lambda: not floor.pool._members)  # the pool has noticed
    other = floor.worker()
    other.answer(other.take("a"))
    other.answer(other.take("b"))
    assert [floor.end().step.name for _ in range(2)] == ["a", "b"]


def test_an_answer_counts_although_its_worker_has_ended_since(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"))
    worker.answer(worker.take("a"))
    worker.end()
    assert floor.end().outcome == MADE


def test_a_step_that_loses_too_many_workers_fails_and_names_the_last(floor: Floor) -> None:
    floor.begin(step_of("a"))
    for index in range(2):
        worker = floor.worker(index)
        worker.take("a")
        worker.end()
    failure = floor.failure()
    assert failure.category == "crash"
    assert failure.message.startswith("step a: 2 workers ended while running it, the last one was local-1 on ")


def test_a_worker_that_ended_before_it_was_given_the_step_is_not_counted(floor: Floor) -> None:
    for _ in range(3):
        floor.worker().end()
    floor.begin(step_of("a"))
    worker = floor.worker()
    worker.answer(worker.take("a"))
    assert floor.end().outcome == MADE


def test_nor_is_one_that_gives_the_step_back(floor: Floor) -> None:
    floor.begin(step_of("a"))
    for _ in range(3):
        worker = floor.worker()
        worker.say(Unfinished(key=worker.take("a")))
        with pytest.raises((EOFError, OSError)):
            worker.hear()  # it gets no other
        worker.end()
    worker = floor.worker()
    worker.answer(worker.take("a"))
    assert floor.end().outcome == MADE


def test_a_worker_that_does_not_answer_the_scheduler_is_lost_and_what_it_says_later_is_not_heard(
    floor: Floor,
) -> None:
    silent = floor.worker()
    floor.begin(step_of("a"))
    key = silent.take("a")
    floor.pool.disconnect("local-0")
    floor.pool.disconnect("local-7")
    with pytest.raises(OSError, match="Broken pipe"):
        silent.answer(key)
    other = floor.worker(1)
    other.answer(other.take("a"))
    assert floor.end().outcome == MADE


def test_a_worker_of_another_version_gets_no_step(floor: Floor) -> None:
    floor.worker(code="0" * 64)
    floor.begin(step_of("a"))
    failure = floor.failure()
    assert failure.category == "environment"
    assert "has another version of bskernel than the build: its sources are 000000000000" in failure.message


def test_an_unexpected_error_on_a_worker_is_the_build_s(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"), step_of("b"))
    worker.say(Broken(key=worker.take("a"), error=link_worker._pickled(LookupError("odd"))))
    error = floor.end().error
    assert isinstance(error, LookupError)
    assert "LookupError: odd" in error.__notes__[0]
    worker.answer(worker.take("b"))
    assert floor.end().outcome == MADE


def test_words_that_nobody_understands_are_an_error_and_no_wait(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"))
    worker.take("a")
    worker.link.send(b"\xc1")
    assert floor.end().error is not None


def test_a_refused_step_fails_as_the_worker_says(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"))
    refused = Failure(category="environment", message="no recipe")
    worker.say(StepNews(key=worker.take("a"), events=(), answer=Rejected(failure=refused)))
    assert floor.failure() == refused


def test_an_interrupt_cancels_what_runs_and_forgets_what_waits(floor: Floor) -> None:
    worker = floor.worker()
    floor.begin(step_of("a"), step_of("b"))
    key = worker.take("a")
    worker.say(StepNews(key=key, events=(Progress(directory="a", text="half"),)))
    assert isinstance(floor.events.get(timeout=20), StepEvent)
    floor.pool.interrupt()
    first, second = floor.end(), floor.end()
    assert [done.step.name for done in (first, second)] == ["a", "b"]
    assert (first.outcome.result, first.outcome.failure) == (None, None)
    assert b"half" in first.outcome.log
    assert worker.hear() == CancelStep(key=key)
    worker.say(Unfinished(key=key))
    floor.begin(step_of("c"))
    worker.answer(worker.take("c"))
    assert floor.end().step.name == "c"


def test_a_step_that_is_interrupted_on_its_way_is_cancelled_there(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = floor.worker()
    (member,) = floor.pool._members
    send = member.link.send

    def interrupt_first(message: bytes) -> None:
        floor.pool.interrupt()
        send(message)
        monkeypatch.undo()

    monkeypatch.setattr(member.link, "send", interrupt_first)
    floor.begin(step_of("a"))
    heard = [worker.hear() for _ in range(3)]
    assert isinstance(heard[1], Assignment)
    assert heard[0] == heard[2] == CancelStep(key=heard[1].key)
    assert floor.end().outcome.result is None


def test_when_workers_keep_ending_every_step_fails_now_and_later(floor: Floor) -> None:
    floor.begin(step_of("a"))
    floor.pool.give_up(("last words",))
    floor.begin(step_of("b"))
    for _ in range(2):
        failure = floor.failure()
        assert (failure.message, failure.cause) == ("workers keep ending; no more are started", ("last words",))
    assert not floor.pool.wait_for_one(20)


def test_what_one_worker_has_is_used_by_one_step_and_others_pass_it_by() -> None:
    floor = Floor({"vivado": 1}, {})
    has, plain = floor.worker(0), floor.worker(1)
    floor.begin(step_of("a"))  # leaves free what only one has
    key = plain.take("a")
    floor.begin(step_of("b", "vivado"), step_of("c", "vivado"), step_of("d"))
    other = has.take("b")
    plain.answer(key)
    plain.answer(plain.take("d"))
    assert [floor.end().step.name for _ in range(2)] == ["a", "d"]
    has.answer(other)
    has.answer(has.take("c"))
    assert [floor.end().step.name for _ in range(2)] == ["b", "c"]
    floor.begin(step_of("e", "board"))
    failure = floor.failure()
    assert failure.message == "step e: no worker of the cluster declares the resource board"
    assert "--resources board=N" in (failure.hint or "")
    floor.pool.close()


# The worker's side; that it runs steps is tested with real ones (tests/contract/test_worker_pools.py).


class FakeSite:
    """In place of a WorkerSite: does what the step's name says."""

    runtime_name = "process"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.closed = threading.Event()

    def run(self, request: StepRequest, on_event: Any, cancel_token: Any) -> Completion:
        name = request.step.name
        if name == "wait":
            with cancel_token.on_cancel(self.closed.set):
                on_event(Progress(directory="x", text="waiting"))
                self.closed.wait(20)
            return Completion(step=request.step)
        if name == "lacks":
            raise EnvironmentLacking("no disk")
        if name == "breaks":
            return Completion(step=request.step, error=UnpicklableError(threading.Lock()))
        return Completion(step=request.step, outcome=MADE, seconds=1.0)

    def close(self) -> None:
        self.closed.set()


class UnpicklableError(Exception):
    """An error that holds what cannot be pickled."""


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[WorkerLink, LinkWorker]]:
    monkeypatch.setattr(link_worker, "WorkerSite", FakeSite)
    link, there = connect()
    worker = LinkWorker(WorkerLink(there))
    worker.start()
    assert link.receive().decode() == code_digest()
    yield link, worker
    worker.close()
    link.close()


def assign(link: WorkerLink, name: str) -> None:
    step = step_of(name)
    request = StepRequest(
        site=SITE, step=step, action=action_of(step, {}), inputs={}, share=True, damaged=False, topic=""
    )
    link.send(encode(Assignment(key=f"k-{name}", request=request)))


def told(link: WorkerLink) -> StepNews | Unfinished | Broken:
    return decode_from_worker(link.receive())


def test_a_worker_answers_each_step_and_a_broken_one_does_not_end_it(build: tuple[WorkerLink, LinkWorker]) -> None:
    link, _ = build
    for name in ("breaks", "lacks", "a"):
        assign(link, name)
    broken, refused, answered = told(link), told(link), told(link)
    assert isinstance(broken, Broken)
    assert b"UnpicklableError" in broken.error
    assert isinstance(refused, StepNews)
    assert isinstance(refused.answer, Rejected)
    assert refused.answer.failure.message == "no disk"
    assert isinstance(answered, StepNews)
    assert isinstance(answered.answer, StepAnswer)
    assert (answered.key, answered.answer.outcome) == ("k-a", MADE)


@pytest.mark.parametrize("by", ["cancel", "close"])
def test_a_step_that_is_cancelled_or_whose_worker_ends_is_given_back(
    build: tuple[WorkerLink, LinkWorker], by: str
) -> None:
    link, worker = build
    assign(link, "wait")
    said = told(link)
    assert isinstance(said, StepNews)
    assert said.events == (Progress(directory="x", text="waiting"),)
    if by == "cancel":
        link.send(encode(CancelStep(key="k-wait")))
    else:
        worker.close()
    assert told(link) == Unfinished(key="k-wait")
    if by == "close":
        assign(link, "a")
        assert told(link) == Unfinished(key="k-a")


def test_messages_are_whole_whatever_their_size() -> None:
    here, there = connect()
    other = WorkerLink(there)
    sizes = [0, 1, 1 << 14, (1 << 14) + 1, 1 << 22]

    def send() -> None:
        for size in sizes:
            here.send(bytes(size))

    sender = threading.Thread(target=send)
    sender.start()
    assert [len(other.receive()) for _ in sizes] == sizes
    sender.join()
    here.close()
    with pytest.raises(EOFError):
        other.receive()
    with pytest.raises(OSError, match="Broken pipe"):
        other.send_soon(b"x")
    other.close()
