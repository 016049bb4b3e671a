"""All calls are made, side by side where threads can begin, and else by the caller alone."""

import _thread
import threading

import pytest
from bskernel.host.side_by_side import run_side_by_side


def refuse(*_: object) -> int:
    raise RuntimeError("can't start new thread")


def never_begin(*_: object) -> int:
    """As a thread does that finds no memory: Python has made it, and it runs nothing."""
    return 0


def test_calls_meet() -> None:
    barrier = threading.Barrier(3, timeout=60)  # each waits for the others
    run_side_by_side([barrier.wait] * 3)


def test_no_more_run_at_once_than_may() -> None:
    lock, most, running = threading.Lock(), 0, 0
    turn = threading.Event()

    def call() -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        turn.wait(0.01)
        with lock:
            running -= 1

    run_side_by_side([call] * 20, at_once=2)
    assert most <= 2


@pytest.mark.parametrize("start", [_thread.start_new_thread, refuse, never_begin])
def test_every_call_is_made_whatever_becomes_of_threads(start: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", start)
    made: list[int] = []
    run_side_by_side([lambda at=at: made.append(at) for at in range(9)])  # type: ignore[misc]
    assert sorted(made) == list(range(9))


@pytest.mark.parametrize("start", [_thread.start_new_thread, refuse])
def test_the_others_are_made_and_the_first_error_is_raised(start: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", start)
    made: list[str] = []

    def fail(what: str) -> None:
        raise ValueError(what)

    with pytest.raises(ValueError, match="one"):
        run_side_by_side(
            [lambda: fail("one"), lambda: made.append("a"), lambda: fail("two"), lambda: made.append("b")]
        )
    assert sorted(made) == ["a", "b"]


def test_nothing_is_nothing() -> None:
    run_side_by_side([])
