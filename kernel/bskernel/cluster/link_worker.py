"""The steps of a worker of this machine, which its build sends it over a link of their own."""

from __future__ import annotations

import contextlib
import pickle
import platform
import queue
import threading
import traceback

from bskernel.cluster.messages import (
    Answer,
    Assignment,
    Broken,
    Rejected,
    StepRequest,
    Unfinished,
    decode_to_worker,
    encode,
)
from bskernel.cluster.news_sender import NewsSender
from bskernel.cluster.step_ends import answer_of
from bskernel.cluster.version_check import code_digest
from bskernel.cluster.worker_link import WorkerLink
from bskernel.cluster.worker_site import WorkerSite
from bskernel.core.errors import BskernelError
from bskernel.core.runtime_failures import environment_failure
from bskernel.execution.action_runner import CancelToken
from bskernel.host.thread import Thread


class LinkWorker:
    """Runs the steps of one build, one at a time, in sessions that live as long as this."""

    def __init__(self, link: WorkerLink) -> None:
        self._link = link
        self._news = NewsSender(lambda _, data: link.send(data))
        self._assigned: queue.SimpleQueue[Assignment] = queue.SimpleQueue()
        self._cancel_tokens: dict[str, CancelToken] = {}  # of steps that run or wait
        self._lock = threading.Lock()
        self._site: WorkerSite | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to take steps."""
        Thread(target=self._receive, name="messages of the build", daemon=True).start()
        Thread(target=self._work, name="steps", daemon=True).start()

    def close(self) -> None:
        """End all steps and all sessions."""
        with self._lock:
            self._closed = True
            site = self._site
        if site is not None:
            site.close()
        self._news.close()

    def _receive(self) -> None:
        # When the link is closed, the build has ended or is about to end this process.
        with contextlib.suppress(EOFError, OSError):
            self._link.send(code_digest().encode())
            while True:
                message = decode_to_worker(self._link.receive())
                if isinstance(message, Assignment):
                    self._cancel_tokens[message.key] = CancelToken()
                    self._assigned.put(message)
                elif (cancel_token := self._cancel_tokens.get(message.key)) is not None:
                    cancel_token.cancel()

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                assigned = self._assigned.get()
                try:
                    answer = self._run(assigned.key, assigned.request)
                except Exception as error:  # noqa: BLE001 - raised again in the build's deciding thread
                    self._link.send(encode(Broken(key=assigned.key, error=_pickled(error))))
                    continue
                finally:
                    del self._cancel_tokens[assigned.key]
                if answer is None:
                    self._link.send(encode(Unfinished(key=assigned.key)))
                else:
                    self._news.end_with("", assigned.key, answer)

    def _run(self, key: str, request: StepRequest) -> Answer | None:
        """Run a step; None if it was cancelled, or if the worker ends before it does."""
        try:
            site = self._site_of(request)
            if site is None:
                return None
            done = site.run(request, lambda event: self._news.say("", key, event), self._cancel_tokens[key])
        except BskernelError as error:
            return Rejected(failure=environment_failure(error))
        return answer_of(done, site.runtime_name, platform.node())

    def _site_of(self, request: StepRequest) -> WorkerSite | None:
        """The state for the build's steps; None once this was closed. Raises EnvironmentLacking, ConfigError."""
        with self._lock:
            if self._closed:
                return None
            if self._site is None:
                self._site = WorkerSite(request.site)
            return self._site


def _pickled(error: Exception) -> bytes:
    """The error with its traceback as a note; another one with its text if it cannot be pickled."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # noqa: S301 - what was pickled just now
    except Exception:  # noqa: BLE001 - errors of libraries may do anything here
        return pickle.dumps(RuntimeError(error.__notes__[-1]))
    return data
