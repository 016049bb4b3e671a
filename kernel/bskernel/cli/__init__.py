"""The command line."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import NoReturn

_RARELY = 100_000  # allocations between garbage collections: a fully cached build makes fewer, and no garbage


_ANYBODY = 0o002
_USUAL = 0o022


def main() -> None:
    """Run the command line. Ends with SystemExit unless the exit code is 0."""
    from bskernel.cli.group import main as run

    # With a umask that lets anybody write, anybody could decide what later builds recall from the cache.
    umask = os.umask(_USUAL)
    if umask & _ANYBODY:
        os.umask(umask)
    run()


def _forget_current_folder() -> None:
    """Import no module from the current folder, which may be a project's: an empty part of PYTHONPATH names it."""
    try:
        here = os.getcwd() if os.environ.get("PYTHONPATH") else ""  # noqa: PTH109 - before pathlib
    except OSError:
        here = ""
    sys.path[:] = [folder for folder in sys.path if folder.startswith("/") and folder != here]


def program() -> NoReturn:
    """Entry point of the installed command: run `main`, then end the process without tearing down the interpreter."""
    _forget_current_folder()
    gc.set_threshold(_RARELY)
    code: str | int | None = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if isinstance(code, int | None) and all(thread.daemon for thread in others):
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            sys.exit(code)  # Python's own shutdown reports the failed flush
        os._exit(code or 0)
    sys.exit(code)


__all__ = ["main", "program"]
