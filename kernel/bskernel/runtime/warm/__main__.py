"""The daemon process of a warm session. Its first argument is a DaemonSpec as JSON.

It starts the session, writes one JSON message to stdout and closes stdout. After Up it stays; after Busy or Failed it
exits.
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
from bskernel.images import NamedFolder, Recipe, require_recipe, search_recipes
from bskernel.runtime.selection import choose_starter
from bskernel.runtime.session_dirs import make_folders, this_process
from bskernel.runtime.warm.daemon import WarmDaemon
from bskernel.runtime.warm.messages import Busy, DaemonRecord, DaemonSpec, Failed, Up
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry


def _recipe_of(spec: DaemonSpec, executor: ExecutorRef) -> Recipe:
    named = [NamedFolder(path=Path(folder), origin="the build") for folder in spec.recipes]
    recipes = search_recipes(Path(spec.root), named)
    return require_recipe(recipes, executor, where="warm session", hint="run the command again")


def _report(message: Up | Busy | Failed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def _serve(spec: DaemonSpec, entry: SessionEntry) -> None:
    starter = choose_starter(
        spec.runtime, Path(spec.cache), lambda executor: _recipe_of(spec, executor), lambda _: None
    )
    folders = make_folders(Path(spec.cache), starter.name)
    try:
        transport = starter.start(spec.executor, folders)
    except BaseException:
        folders.remove()
        raise
    daemon = WarmDaemon(transport, folders, spec.idle_s)
    listener = entry.listen()
    entry.write(DaemonRecord(order=spec, session=folders.id, keeper=this_process(), engine=starter.engine_facts))
    _report(Up())
    daemon.serve(listener)


def _terminate(_signum: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Run the daemon."""
    if os.fork() != 0:
        # The launcher waits only for this process: the daemon must not be its child.
        os._exit(0)
    signal.signal(signal.SIGTERM, _terminate)
    spec = msgspec.json.decode(sys.argv[1], type=DaemonSpec)
    entry = SessionRegistry(Path(spec.cache)).entry(spec.executor, spec.runtime)
    with entry.hold() as lock:
        if lock is None:
            _report(Busy())
            return
        try:
            _serve(spec, entry)
        except SessionFailed as error:
            _report(Failed(failure=error.failure))
        except BskernelError as error:
            _report(Failed(failure=environment_failure(error)))
    sys.stderr.flush()
    # Do not wait for threads that still wait for a run.
    os._exit(0)


if __name__ == "__main__":
    main()
