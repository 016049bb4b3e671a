"""The run loop and signals: what comes while it is about to wait is noticed all the same."""

import queue
import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from bskernel.execution.scheduler import JOBS, Schedule
from bskernel.execution.step_loop import StepLoop


def test_an_interrupt_whose_handler_does_not_wake_the_loop_is_noticed() -> None:
    """As if it came just before the loop waits: another thread gets the signal, which does not wake the loop."""
    pool: Any = SimpleNamespace(events=queue.SimpleQueue())
    source: Any = SimpleNamespace(idle=lambda: False)
    loop = StepLoop({}, Schedule([], {JOBS: 1}), source, pool, pool, pool, fresh=False, join_equal=False)
    ended, woken = threading.Event(), list[str]()

    def interrupt() -> None:
        time.sleep(0.2)  # until the loop waits, most likely; if it does not yet, the promise holds as well
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not ended.wait(30):
            woken.append("by an event")
            pool.events.put(None)

    other = threading.Thread(target=interrupt)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop._next_event()
    finally:
        ended.set()
        other.join()
    assert not woken
