"""Processes: the step's own, its server's, and daemons that it leaves."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step

from .behaviour import Aims, behaviour

_PTRACE_ATTACH, _PTRACE_SEIZE = 16, 0x4206
SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]


@behaviour("failed", variants={name: getattr(signal, name) for name in ("SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM")})
def dies_of(step: Step[Any], aims: Aims, signum: int) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(3600)


@behaviour(variants={"0": 0, "1": 1, "77": 77})
def exits(step: Step[Any], aims: Aims, code: int) -> None:
    os._exit(code)


@behaviour("failed", timeout_s=2)
def hangs(step: Step[Any], aims: Aims) -> None:
    time.sleep(3600)


@behaviour("failed", timeout_s=2)
def ignores_signals(step: Step[Any], aims: Aims) -> None:
    for signum in range(1, 32):
        with contextlib.suppress(OSError):
            signal.signal(signum, signal.SIG_IGN)
    while True:
        time.sleep(1)


@behaviour("failed", timeout_s=2)
def stops_itself(step: Step[Any], aims: Aims) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@behaviour(
    timeout_s=4,
    variants={
        name: getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGSTOP", "SIGINT", "SIGSEGV", "SIGPIPE")
    },
)
def signals_server(step: Step[Any], aims: Aims, signum: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(os.getppid(), signum)
    time.sleep(1)


@behaviour(timeout_s=4, variants={name: getattr(signal, name) for name in ("SIGKILL", "SIGSTOP")})
def signals_all(step: Step[Any], aims: Aims, signum: int) -> None:
    """All processes with the session's variable, as far as it can see them, but not those of others."""
    mark = f"BSKERNEL_SESSION={os.environ['BSKERNEL_SESSION']}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signum)
    time.sleep(1)


@behaviour(variants={"seize": _PTRACE_SEIZE, "attach": _PTRACE_ATTACH}, timeout_s=6)
def traces_server(step: Step[Any], aims: Aims, request: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(request, os.getppid(), 0, 0) == 0:
        step.output("model").write_text("traced")
        time.sleep(3)


def _leave(*, cleared: bool = False, kills: bool = False, closes: bool = False) -> None:
    """A grandchild that outlives the step, unless somebody ends it."""
    server = os.getppid()
    if os.fork() != 0:
        return
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    if closes:
        os.closerange(0, 1024)
    if kills:
        with contextlib.suppress(OSError):
            os.kill(server, signal.SIGKILL)
    if cleared:
        os.execve(SLEEP[0], SLEEP, {})  # noqa: S606 - no shell is wanted
    time.sleep(3600)


@behaviour("ok", variants={"plain": {}, "cleared": {"cleared": True}, "closed": {"closes": True}})
def leaves_daemon(step: Step[Any], aims: Aims, how: dict[str, bool]) -> None:
    _leave(**how)


@behaviour(variants={"plain": {}, "cleared": {"cleared": True}})
def leaves_daemon_and_kills_server(step: Step[Any], aims: Aims, how: dict[str, bool]) -> None:
    _leave(**how, kills=True)
    time.sleep(1)


@behaviour(variants={"cleared": {"cleared": True}})
def leaves_daemon_and_dies(step: Step[Any], aims: Aims, how: dict[str, bool]) -> None:
    _leave(**how)
    os.kill(os.getpid(), signal.SIGKILL)


@behaviour("ok")
def leaves_many(step: Step[Any], aims: Aims) -> None:
    for _ in range(60):
        subprocess.Popen(SLEEP, start_new_session=True, env={})


@behaviour(timeout_s=6)
def forks_on(step: Step[Any], aims: Aims) -> None:
    """A chain that forks and ends, so that its number changes all the time, within a bound."""
    if os.fork() != 0:
        return
    os.setsid()
    for _ in range(3000):
        if os.fork() != 0:
            os._exit(0)
    os._exit(0)


@behaviour()
def raises_limits(step: Step[Any], aims: Aims) -> None:
    """Take the lowest priority of the session, which a step may always do."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@behaviour(variants={"exit": "exit", "thread": "thread", "atexit": "atexit"})
def ends_oddly(step: Step[Any], aims: Aims, how: str) -> None:
    if how == "exit":
        raise SystemExit(0)
    if how == "thread":
        import threading

        threading.Thread(target=time.sleep, args=(3600,)).start()
    else:
        import atexit

        atexit.register(time.sleep, 3600)


@behaviour("failed", variants={"recursion": 0, "interrupt": 1, "generator": 2})
def raises_oddly(step: Step[Any], aims: Aims, what: int) -> None:
    if what == 0:

        def deeper(level: int) -> int:
            return deeper(level + 1)

        deeper(0)
    raise (KeyboardInterrupt if what == 1 else GeneratorExit)
