"""The task that Dask's workers run, and the state that each worker keeps between tasks."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import threading
from collections.abc import Iterator
from typing import Any

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from bskernel.cluster.messages import (
    Answer,
    Rejected,
    Site,
    StepRequest,
    decode_request,
    encode,
)
from bskernel.cluster.news_sender import NewsSender
from bskernel.cluster.step_ends import answer_of
from bskernel.cluster.version_check import code_digest, other_version
from bskernel.cluster.worker_site import WorkerSite
from bskernel.core.errors import BskernelError
from bskernel.core.runtime_failures import environment_failure
from bskernel.execution.action_runner import CancelToken

_NAME = "bskernel"
_installing = threading.Lock()


class SessionsPlugin(WorkerPlugin):
    """The sites of a worker and their running steps. If Dask cancels a task, its step is cancelled."""

    name = _NAME

    def __init__(self, worker: Worker) -> None:
        self.news = NewsSender(lambda topic, data: worker.log_event(topic, {_NAME: data}))
        self._lock = threading.Lock()
        self._sites: dict[str, WorkerSite] = {}  # by Site.digest
        self._cancel_tokens: dict[object, CancelToken] = {}
        self._closed = False

    @contextlib.contextmanager
    def use_site(self, site: Site) -> Iterator[WorkerSite]:
        """The worker's state for the site, created if missing; idle other sites are closed then.

        Raises EnvironmentLacking, ConfigError; Reschedule when the worker is closing.
        """
        with self._lock:
            if self._closed:
                raise Reschedule
            closing = []
            if site.digest not in self._sites:
                idle = [digest for digest, other in self._sites.items() if not other.busy]
                closing = [self._sites.pop(digest) for digest in idle]
                self._sites[site.digest] = WorkerSite(site)
            worker_site = self._sites[site.digest]
            worker_site.busy += 1
        for other in closing:
            other.close()
        try:
            yield worker_site
        finally:
            with self._lock:
                worker_site.busy -= 1

    @contextlib.contextmanager
    def cancellable(self, key: object, worker: Worker) -> Iterator[CancelToken]:
        """The cancel token of a task's step, valid during the context."""
        cancel_token = self._cancel_tokens[key] = CancelToken()
        try:
            task = worker.state.tasks.get(key)  # type: ignore[call-overload] # a key may be any hashable value
            if task is not None and task.state == "cancelled":
                cancel_token.cancel()
            yield cancel_token
        finally:
            del self._cancel_tokens[key]

    def transition(self, key: object, start: str, finish: str, **_: Any) -> None:
        """Called by Dask when a task changes its state. From `executing` to `released` means cancelled."""
        if (
            start == "executing"
            and finish == "released"
            and (cancel_token := self._cancel_tokens.get(key)) is not None
        ):
            cancel_token.cancel()

    async def teardown(self, worker: Worker) -> None:
        """Called by Dask when the worker closes: end everything that it started."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End all steps and all sessions."""
        with self._lock:
            self._closed = True
            sites = list(self._sites.values())
            self._sites.clear()
        for site in sites:
            site.close()
        self.news.close()


def run_task(code: str, data: bytes) -> bytes:
    """The Dask task: run an encoded request from a kernel with the sources `code`; returns the encoded answer.

    Raises Reschedule when the worker ends while the step runs, and any unexpected error of the step.
    """
    worker = get_worker()
    if code != code_digest():
        return encode(Rejected(failure=other_version(build=code, worker=code_digest())))
    return _answer(worker, decode_request(data))


async def end_all(dask_worker: Worker) -> None:
    """End everything that the worker has started; it runs no more steps."""
    plugin = dask_worker.plugins.get(_NAME)
    if isinstance(plugin, SessionsPlugin):
        await plugin.teardown(dask_worker)


def _answer(worker: Worker, request: StepRequest) -> bytes:
    """Run the step. The build is sent the answer with the step's last news: to fetch results is slow.

    The task's own result, which is the same, is for large answers, and for other builds that wait for it.
    """
    key, plugin = worker.get_current_task(), _ensure_plugin(worker)
    topic, name = request.topic, str(key)
    try:
        with plugin.use_site(request.site) as site, plugin.cancellable(key, worker) as cancel_token:
            done = site.run(request, lambda event: plugin.news.say(topic, name, event), cancel_token)
            answer: Answer | None = answer_of(done, site.runtime_name, f"{platform.node()} ({worker.address})")
            if answer is None:
                raise Reschedule  # it was cancelled and nobody waits for it, or the worker is about to end
    except BskernelError as error:
        answer = Rejected(failure=environment_failure(error))
    return plugin.news.end(topic, name, answer)


def _ensure_plugin(worker: Worker) -> SessionsPlugin:
    with _installing:
        plugin = worker.plugins.get(_NAME)
        if not isinstance(plugin, SessionsPlugin):
            plugin = SessionsPlugin(worker)
            adding = asyncio.run_coroutine_threadsafe(worker.plugin_add(plugin, _NAME), worker.loop.asyncio_loop)  # type: ignore[attr-defined]
            adding.result()
        return plugin


__all__ = ["SessionsPlugin", "end_all", "run_task"]
