"""Which threads the steps of this machine's pool run in."""

import threading
from pathlib import Path

import pytest
from bskernel.core.action import action_of
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Runtime
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution import worker_pool
from bskernel.execution.session_pool import SessionPool
from bskernel.execution.worker_pool import Completion, LocalWorkerPool
from bskernel.host.thread import Thread
from bskernel.store import DiskStore
from support.eventually import eventually

LACKING = "no runtime here"


def no_runtime() -> Runtime:
    raise EnvironmentLacking(LACKING)


def step(index: int) -> Step:
    executor = ExecutorRef(name="testing", version="1", digest="0" * 64)
    return Step(index=index, name="in-turn", executor=executor, entry="add", parameters={}, inputs={}, outputs=())


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "in-turn" in thread.name]


def begin(pool: LocalWorkerPool, *indices: int) -> None:
    for index in indices:
        pool.begin(step(index), action_of(step(index), {}, ""), {})


def end(pool: LocalWorkerPool) -> str:
    done = pool.events.get(timeout=60)
    assert isinstance(done, Completion)
    return done.step.label


def test_steps_one_after_the_other_run_in_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_IDLE_S", 60.0)
    started = []

    class CountedThread(Thread):
        def start(self) -> None:
            started.append(self)
            super().start()

    monkeypatch.setattr(worker_pool, "Thread", CountedThread)
    pool = LocalWorkerPool(DiskStore(tmp_path), SessionPool(no_runtime), share=False)
    for index in range(5):
        begin(pool, index)
        assert end(pool) == step(index).label
        eventually(lambda: pool.idle_threads)
    assert len(started) == 1


def test_steps_at_the_same_time_all_end_and_so_do_their_threads(tmp_path: Path) -> None:
    pool = LocalWorkerPool(DiskStore(tmp_path), SessionPool(no_runtime), share=False)
    others = set(threads())  # of the test before
    for _ in range(3):
        begin(pool, *range(20))
        assert {end(pool) for _ in range(20)} == {step(index).label for index in range(20)}
    eventually(lambda: set(threads()) <= others)
    assert pool.idle_threads == 0
