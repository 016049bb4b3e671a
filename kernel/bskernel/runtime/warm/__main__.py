"""A keeper's process: starts a session, says that it is up, and stays. Its first argument is an Order as JSON.

It says one word as JSON (Up; Busy or Failed, and ends), and then lets go of its standard output.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from bskernel.core.errors import BskernelError
from bskernel.core.interfaces import SessionFailed
from bskernel.core.runtime_failures import environment_failure
from bskernel.core.step import ExecutorRef
from bskernel.images import Recipe, find_recipes, require_recipe
from bskernel.runtime.selection import choose_starter
from bskernel.runtime.session_dirs import make_folders, this_process
from bskernel.runtime.warm.daemon import WarmDaemon
from bskernel.runtime.warm.messages import Busy, DaemonRecord, DaemonSpec, Failed, Up
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry


def _recipe_of(order: DaemonSpec, executor: ExecutorRef) -> Recipe:
    return require_recipe(
        find_recipes(Path(order.root)), executor, where="warm session", hint="run the command again"
    )


def _say(told: Up | Busy | Failed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def _keep(order: DaemonSpec, place: SessionEntry) -> None:
    starter = choose_starter(
        order.runtime, Path(order.cache), lambda executor: _recipe_of(order, executor), lambda _: None
    )
    folders = make_folders(Path(order.cache))
    try:
        carrier = starter.start(order.executor, folders)
    except BaseException:
        folders.remove()
        raise
    keeper = WarmDaemon(carrier, folders, order.idle_s)
    listener = place.listen()
    place.write(DaemonRecord(order=order, session=folders.id, keeper=this_process()))
    _say(Up())
    keeper.serve(listener)


def _terminate(_signum: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Entry point."""
    if os.fork() != 0:
        # Whoever started this process waits for it alone: the keeper is nobody's child.
        os._exit(0)
    signal.signal(signal.SIGTERM, _terminate)
    order = msgspec.json.decode(sys.argv[1], type=DaemonSpec)
    place = SessionRegistry(Path(order.cache)).of(order.executor, order.runtime)
    with place.held() as lock:
        if lock is None:
            _say(Busy())
            return
        try:
            _keep(order, place)
        except SessionFailed as error:
            _say(Failed(failure=error.failure))
        except BskernelError as error:
            _say(Failed(failure=environment_failure(error)))
    sys.stderr.flush()
    # Threads that still wait for a run have nothing left to do.
    os._exit(0)


if __name__ == "__main__":
    main()
