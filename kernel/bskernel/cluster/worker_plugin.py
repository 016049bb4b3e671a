"""The task that Dask's workers carry out, and what each worker keeps for it."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import threading
from collections.abc import Iterator
from typing import Any

from bskernel_protocol import Event, Failure
from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from bskernel.cluster.messages import (
    Answer,
    Rejected,
    Site,
    StepAnswer,
    StepEventMessage,
    StepRequest,
    decode_request,
    encode,
)
from bskernel.cluster.version_check import code_digest
from bskernel.cluster.worker_site import WorkerSite
from bskernel.core.errors import BskernelError
from bskernel.core.runtime_failures import environment_failure
from bskernel.execution.action_runner import CancelToken, Completion

_NAME = "bskernel"
_installing = threading.Lock()


class SessionsPlugin(WorkerPlugin):
    """The benches of a worker, and the steps that run on them: a task that Dask cancels ends its step."""

    name = _NAME

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sites: dict[str, WorkerSite] = {}  # by their sites
        self._cancel_tokens: dict[object, CancelToken] = {}
        self._closed = False

    @contextlib.contextmanager
    def bench(self, site: Site) -> Iterator[WorkerSite]:
        """The site's bench, made when there is none; idle ones of other sites then make room for it.

        Raises EnvironmentLacking, ConfigError; Reschedule when the worker is closing.
        """
        with self._lock:
            if self._closed:
                raise Reschedule
            left = []
            if site.digest not in self._sites:
                idle = [other for other, bench in self._sites.items() if not bench.busy]
                left = [self._sites.pop(other) for other in idle]
                self._sites[site.digest] = WorkerSite(site)
            bench = self._sites[site.digest]
            bench.busy += 1
        for other in left:
            other.close()
        try:
            yield bench
        finally:
            with self._lock:
                bench.busy -= 1

    @contextlib.contextmanager
    def cancellable(self, key: object, worker: Worker) -> Iterator[CancelToken]:
        """What ends the step of that task, for as long as it runs."""
        cancel_token = self._cancel_tokens[key] = CancelToken()
        try:
            task = worker.state.tasks.get(key)  # type: ignore[call-overload] # a key may be anything that is hashable
            if task is not None and task.state == "cancelled":
                cancel_token.cancel()
            yield cancel_token
        finally:
            del self._cancel_tokens[key]

    def transition(self, key: object, start: str, finish: str, **_: Any) -> None:
        """Dask tells of every task; one that goes back from `executing` is wanted by nobody any more."""
        if (
            start == "executing"
            and finish == "released"
            and (cancel_token := self._cancel_tokens.get(key)) is not None
        ):
            cancel_token.cancel()

    async def teardown(self, worker: Worker) -> None:
        """The worker closes: nothing that it started outlives it."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End all steps and all sessions."""
        with self._lock:
            self._closed = True
            sites = list(self._sites.values())
            self._sites.clear()
        for bench in sites:
            bench.close()


def run_task(code: str, data: bytes) -> bytes:
    """The task: carry out an order, which is of a kernel with the sources `code`; the answer's bytes.

    Raises Reschedule when the worker ends in the midst of it, and whatever must not happen.
    """
    worker = get_worker()
    if code != code_digest():
        return encode(_refused(_other_code(code)))
    return encode(_answer(worker, decode_request(data)))


async def end_all(dask_worker: Worker) -> None:
    """Let the worker end all that it has started; it carries out nothing any more."""
    kept = dask_worker.plugins.get(_NAME)
    if isinstance(kept, SessionsPlugin):
        await kept.teardown(dask_worker)


def _answer(worker: Worker, order: StepRequest) -> Answer:
    key = worker.get_current_task()
    kept = _kept(worker)

    def say(event: Event) -> None:
        worker.log_event(order.topic, {_NAME: encode(StepEventMessage(key=str(key), event=event))})

    try:
        with kept.bench(order.site) as bench, kept.cancellable(key, worker) as cancel_token:
            done = bench.run(order, say, cancel_token)
            return _ended(done, bench.runtime_name, worker)
    except BskernelError as error:
        return _refused(environment_failure(error))


def _ended(done: Completion, runtime: str, worker: Worker) -> StepAnswer:
    if done.error is not None:
        raise done.error
    if done.outcome.result is None and done.outcome.failure is None:
        raise Reschedule  # either it was cancelled, and nobody asks, or the worker is about to end
    return StepAnswer(
        outcome=done.outcome,
        seconds=done.seconds,
        recalled=done.recalled,
        doubtful=done.doubtful,
        runtime=runtime,
        worker=f"{platform.node()} ({worker.address})",
    )


def _kept(worker: Worker) -> SessionsPlugin:
    with _installing:
        kept = worker.plugins.get(_NAME)
        if not isinstance(kept, SessionsPlugin):
            kept = SessionsPlugin()
            adding = asyncio.run_coroutine_threadsafe(worker.plugin_add(kept, _NAME), worker.loop.asyncio_loop)  # type: ignore[attr-defined]
            adding.result()
        return kept


def _refused(failure: Failure) -> Rejected:
    return Rejected(failure=failure)


def _other_code(code: str) -> Failure:
    return Failure(
        category="environment",
        message=f"the worker on {platform.node()} has another version of bskernel than the build: its sources are "
        f"{code_digest()[:12]}, the build's {code[:12]}",
        hint="install the same bskernel there, and start the worker anew",
    )


__all__ = ["SessionsPlugin", "end_all", "run_task"]
