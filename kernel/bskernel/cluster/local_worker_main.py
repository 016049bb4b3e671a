"""Forks `dask worker` processes of this machine (`-m bskernel.cluster.local_worker_main`).

Standard input is a socket. Each message is a request for a worker, with the worker's end of its link to the build; a
line of standard output names a worker that has ended. All workers end with this process, which ends when its standard
input closes, as it does however its parent ends.
"""

from __future__ import annotations

import gc
import os
import platform
import select
import signal
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING, NoReturn

import msgspec

from bskernel.host.thread import Thread

if TYPE_CHECKING:
    import click

_LARGEST = 1 << 16  # bytes of a request
_END_S = 10.0  # how long a worker may take to end its steps' processes


class WorkerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A worker to start."""

    index: int  # its number, under which its end is told
    name: str
    arguments: tuple[str, ...]  # of `dask worker`
    log: str  # the file that takes what it prints


_request = msgspec.json.Decoder(WorkerRequest)


def import_worker() -> click.Command:
    """Import all that a worker needs; returns `dask worker`."""
    # Its threads would not live on in forked processes, and what workers exchange are bytes.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    import dask
    from distributed.cli.dask_worker import main

    import bskernel.cluster.link_worker  # noqa: F401 - what runs the steps
    from bskernel.cluster.quiet_dask import QUIET
    from bskernel.cluster.version_check import code_digest

    del sys.modules["numpy"]
    dask.config.set(QUIET)
    code_digest()
    platform.processor()  # Dask tells it, and Python asks a program for it
    gc.freeze()  # else collecting copies what the workers share
    return main


class _Forker:
    """The forked workers, by a descriptor that becomes readable when one ends."""

    def __init__(self, command: click.Command) -> None:
        self._command = command
        self._workers: dict[int, tuple[int, int]] = {}  # descriptor -> PID, number
        self._poll = select.poll()
        self._requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        self._poll.register(self._requests, select.POLLIN)
        # Only this process holds the other end, so a worker that waits for its bytes waits for this process's end.
        self._life, self._held = os.pipe()

    def serve(self) -> None:
        """Start workers, and tell which have ended, until standard input closes; then end them."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._workers:
                    self._told_end(descriptor)
                    continue
                data, links, *_ = socket.recv_fds(self._requests, _LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
                if not data:
                    return
                self._start(_request.decode(data), *links)

    def _start(self, request: WorkerRequest, link: int) -> None:
        pid = os.fork()
        if pid == 0:
            os.close(self._held)
            self._requests.close()
            _run(self._command, request, self._life, link)
        os.close(link)
        descriptor = os.pidfd_open(pid)
        self._workers[descriptor] = pid, request.index
        self._poll.register(descriptor, select.POLLIN)

    def _told_end(self, descriptor: int) -> None:
        os.write(sys.stdout.fileno(), b"%d\n" % self._reap(descriptor))

    def _reap(self, descriptor: int) -> int:
        pid, index = self._workers.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        os.waitpid(pid, 0)
        return index

    def end(self) -> None:
        """End all workers and wait for them."""
        self._poll.unregister(self._requests)
        for descriptor in self._workers:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while self._workers:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                for descriptor in self._workers:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            for descriptor, _ in self._poll.poll(max(left_s, 1.0) * 1000):
                self._reap(descriptor)


def _run(command: click.Command, request: WorkerRequest, life: int, link: int) -> NoReturn:
    """Be a worker."""
    from bskernel.cluster.link_worker import LinkWorker
    from bskernel.cluster.worker_link import WorkerLink

    code, worker = 1, LinkWorker(WorkerLink(link))
    try:
        signal.signal(signal.SIGTERM, _leave)  # until Dask has a handler of its own
        log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        Thread(target=_end_with, args=(life,), name="parent", daemon=True).start()
        worker.start()  # it takes steps while Dask makes the rest known to the scheduler
        command.main(args=list(request.arguments), prog_name="dask worker")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - told where the worker's words are
        traceback.print_exc()
    finally:
        worker.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def _end_with(life: int) -> None:
    """End once the process that has forked this one has ended, even before the worker has a scheduler."""
    while os.read(life, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_S)
    os._exit(1)


def main() -> None:
    """The program."""
    forker = _Forker(import_worker())
    try:
        forker.serve()
    finally:
        forker.end()


if __name__ == "__main__":
    main()
