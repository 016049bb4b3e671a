"""Threads that last: work one after the other shares one, work at the same time does not, and all end."""

import functools
import os
import queue
import threading

import pytest
from bskernel.host import lasting_threads
from bskernel.host.lasting_threads import LastingThreads
from bskernel.host.thread import Thread
from support.eventually import eventually


def test_work_one_after_the_other_runs_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting_threads, "_IDLE_S", 60.0)
    started = []

    class CountedThread(Thread):
        def start(self) -> None:
            started.append(self.name)
            super().start()

    monkeypatch.setattr(lasting_threads, "Thread", CountedThread)
    threads = LastingThreads()
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    for at in range(5):
        threads.run(functools.partial(ended.put, at), f"work {at}")
        assert ended.get(timeout=60) == at
        eventually(lambda: threads.idle)
    assert started == ["work 0"]


def meet(others: threading.Barrier) -> None:
    others.wait(60)


def test_work_at_the_same_time_is_all_done_and_its_threads_end() -> None:
    threads = LastingThreads()
    for _ in range(3):
        all_here = threading.Barrier(21)
        for at in range(20):
            threads.run(functools.partial(meet, all_here), f"crowd {at}")
        all_here.wait(60)
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("crowd")])
    assert threads.idle == 0


def test_a_forked_process_begins_with_no_thread() -> None:
    threads = LastingThreads()
    done = threading.Event()
    threads.run(done.set, "before")
    assert done.wait(60)
    eventually(lambda: threads.idle)
    pid = os.fork()
    if pid == 0:
        also = threading.Event()
        threads.run(also.set, "after")
        os._exit(0 if also.wait(60) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
