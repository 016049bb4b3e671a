"""A thread is a thread, and one that never begins is not waited for without an end."""

import threading

import bskernel.host.thread
import pytest
from bskernel.host.thread import Thread


def test_a_thread_runs_and_is_joined() -> None:
    said: list[str] = []
    thread = Thread(target=said.append, args=("here",), name="speaker", daemon=True)
    assert not thread.is_alive()
    thread.start()
    thread.join()
    assert (said, thread.name, thread.daemon) == (["here"], "speaker", True)


def test_a_thread_that_never_begins_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # As where it finds no memory: Python has made it, and it runs nothing.
    for name in ("_start_new_thread", "_start_joinable_thread"):  # up to Python 3.12, and from 3.13
        if hasattr(threading, name):
            monkeypatch.setattr(threading, name, lambda *_, **__: 0)
    monkeypatch.setattr(bskernel.host.thread, "_LONGEST_S", 0.01)
    thread = Thread(target=print)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        thread.start()
    thread.join()
