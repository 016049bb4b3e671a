"""The command line."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_OWN = ("bskernel", "bskernel_executors", "bskernel_protocol", "bskernel_recipes")  # packages of this program's
_RARELY = 100_000  # allocations between garbage collections: a fully cached build makes fewer, and no garbage
# Seconds that a thread keeps Python to itself while others wait. A thread that starts a container asks the engine
# five times, and after each answer waits so long for one that imports.
_TURN_S = 0.0005

_ANYBODY = 0o002
_USUAL = 0o022


def main() -> None:
    """Run the command line. Ends with SystemExit unless the exit code is 0."""
    from bskernel.cli.group import main as run

    refuse_open_umask()
    run()


def program() -> NoReturn:
    """Entry point of the installed command: run `main`, then end the process without tearing down the interpreter."""
    leave_python_path()
    refuse_little_memory()
    gc.set_threshold(_RARELY)
    sys.setswitchinterval(_TURN_S)
    code: str | int | None = 0
    obey_again: Callable[[], None] = lambda: None  # noqa: E731
    try:
        from bskernel.cli.standard_streams import open_streams
        from bskernel.cli.unchanged_build import repeat

        open_streams()
        refuse_open_umask()
        on_github = os.environ.get("GITHUB_ACTIONS") == "true"
        if not on_github and repeat():
            sys.stdout.flush()
            os._exit(0)
        import threading

        from bskernel.cli.conclusion import conclude  # now: later there may be no memory for it
        from bskernel.cli.crash_report import report_thread, report_unraisable

        if on_github:
            from bskernel.cli.ci_service import withhold_commands

            obey_again = withhold_commands()
        threading.excepthook, sys.unraisablehook = report_thread, report_unraisable
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:  # noqa: BLE001 - also what an import raises
        from bskernel.cli.conclusion import conclude

        code = conclude(error)
    import contextlib
    import signal
    import threading

    # The command has ended: what arrives now changes nothing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - output that was lost
        from bskernel.cli.conclusion import conclude
        from bskernel.cli.standard_streams import discard_output

        code = conclude(error) if code == 0 else code
        discard_output()
    with contextlib.suppress(Exception):  # standard error may be gone
        obey_again()
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if isinstance(code, int | None) and all(thread.daemon for thread in others):
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


def refuse_open_umask() -> None:
    """Let not anybody write to what is made: else anybody could decide what later builds recall from the cache."""
    umask = os.umask(_USUAL)
    if umask & _ANYBODY:
        os.umask(umask)


def refuse_little_memory() -> None:
    """End the process where its limits leave too little memory: with less, Python may hang or crash anywhere.

    Runs of three small steps crashed at 322 MiB of address space and at 48 MiB of data, and worked above 400 and 140:
    each thread reserves a stack and a heap.
    """
    import resource

    for limit, needed, option in ((resource.RLIMIT_AS, 512, "-v"), (resource.RLIMIT_DATA, 256, "-d")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY and most < needed << 20:
            told = f"error: not enough memory: the limit is {most >> 20} MiB, and a command needs {needed} MiB\n"
            try:
                os.write(2, f"{told}  -> raise the limit (`ulimit {option}`)\n".encode())
            finally:
                os._exit(4)


def leave_python_path() -> None:
    """Import nothing from the folders of PYTHONPATH or the current folder, here and in child processes.

    They are meant for other programs: a module of the user's, or of a project, would take the place of a library's
    with its name. An empty part of PYTHONPATH names the current folder.
    """
    named: list[str] = []
    if text := os.environ.pop("PYTHONPATH", ""):
        import contextlib

        with contextlib.suppress(OSError):  # the current folder was deleted
            named = [os.path.abspath(folder) for folder in text.split(os.pathsep)]  # noqa: PTH100 - as `site` does
    sys.path[:] = [entry for entry in sys.path if entry.startswith("/") and entry not in named]
    if not named:
        return
    from importlib.util import find_spec

    # A checkout's own folders are on the path once, whoever else has named them.
    lacking = [package for package in _OWN if find_spec(package) is None]
    sys.path += [folder for folder in named if any(os.path.isdir(f"{folder}/{name}") for name in lacking)]  # noqa: PTH112


__all__ = ["main", "program"]
