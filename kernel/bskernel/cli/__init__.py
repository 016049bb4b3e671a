"""The command line."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import NoReturn

_SELDOM = 100_000  # objects made until garbage is looked for: a build with nothing to do makes fewer, and leaves none


def main() -> None:
    """What the command line says, carried out; ends with SystemExit where that is not success."""
    from bskernel.cli.commands import main as run

    run()


def program() -> NoReturn:
    """Entry point of the installed command: `main`, and the end of the process without taking it apart first."""
    gc.set_threshold(_SELDOM)
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
            sys.exit(code)  # which says what is wrong with it
        os._exit(code or 0)
    sys.exit(code)


__all__ = ["main", "program"]
