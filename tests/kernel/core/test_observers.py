"""Observers that pass calls on to others."""

from typing import cast

import pytest
from bskernel.core.observers import DelayedObserver, Observer, SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel_protocol import Progress


class Heard(SilentObserver):
    """Keeps what it hears; raises OSError at the remark "full"."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def note(self, text: str) -> None:
        if text == "full":
            raise OSError(text)
        self.calls.append(("note", text))

    def started(self, step: Step) -> None:
        self.calls.append(("started", step))

    def running(self, step: Step) -> None:
        self.calls.append(("running", step))

    def event(self, step: Step, event: object) -> None:
        self.calls.append(("event", event))

    def ended(self, step: Step, ended: EndedStep) -> None:
        self.calls.append(("ended", step))


def test_delayed_calls_arrive_in_order_and_none_before_they_are_passed_on() -> None:
    heard = Heard()
    delayed = DelayedObserver(cast(Observer, heard))
    step, ended = cast(Step, "a step"), cast(EndedStep, "its end")
    event = Progress(directory="d", text="half")
    delayed.started(step)
    delayed.running(step)
    delayed.event(step, event)
    delayed.note("a remark")
    delayed.ended(step, ended)
    assert heard.calls == []
    delayed.pass_on()
    delayed.pass_on()
    assert [name for name, _ in heard.calls] == ["started", "running", "event", "note", "ended"]
    assert ("event", event) in heard.calls


def test_after_an_error_the_calls_that_follow_are_still_passed_on() -> None:
    heard = Heard()
    delayed = DelayedObserver(cast(Observer, heard))
    for text in ("before", "full", "after"):
        delayed.note(text)
    with pytest.raises(OSError, match="full"):
        delayed.pass_on()
    delayed.pass_on()
    assert heard.calls == [("note", "before"), ("note", "after")]
