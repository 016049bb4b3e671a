"""How a step on a worker ends: the worker's answer, and what a pool makes of it. The same for every pool."""

from __future__ import annotations

import queue

import msgspec

from bskernel.cluster.log_buffer import LogBuffer
from bskernel.cluster.messages import StepAnswer, StepNews
from bskernel.core.step import Step
from bskernel.execution.action_runner import Completion
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import PoolEvent, StepEvent


def answer_of(done: Completion, runtime: str, worker: str) -> StepAnswer | None:
    """The answer of a worker, HOST (ADDRESS), on which a step has ended; None if it was cancelled or interrupted.

    Raises the unexpected error of the step, if there was one.
    """
    if done.error is not None:
        raise done.error
    if done.outcome.result is None and done.outcome.failure is None:
        return None
    return StepAnswer(
        outcome=done.outcome,
        seconds=done.seconds,
        recalled=done.recalled,
        doubtful=done.doubtful,
        runtime=runtime,
        worker=worker,
    )


def completion_of(step: Step, answer: StepAnswer) -> Completion:
    """How the step ended, for its build."""
    return Completion(
        step=step,
        seconds=answer.seconds,
        outcome=answer.outcome,
        recalled=answer.recalled,
        doubtful=answer.doubtful,
    )


def interrupted(step: Step, log: bytes) -> Completion:
    """The end of a step that nobody waits for any more, with what is known of its log."""
    return Completion(step=step, outcome=StepOutcome(result=None, failure=None, log=log))


def pass_on(news: StepNews, step: Step, logs: LogBuffer, events: queue.SimpleQueue[PoolEvent]) -> None:
    """Give a build the events of its step's news, and keep them for the step's log."""
    for said in news.events:
        logs.add(news.key, said)
        events.put(StepEvent(step=step, event=msgspec.structs.replace(said, directory=step.label)))
