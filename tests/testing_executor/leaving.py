"""An executor for tests whose steps leave things in their process, and tell what they find there."""

import contextlib
import logging
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Annotated

import msgspec
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter, process_state

registry = Registry(executor="testing", summary="what steps leave", version="1", reuses_processes=True)
MODEL = (Input("model", kind="file"),), (Output("model", kind="file"),)
_held: list[object] = []


class Leaving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    what: Annotated[str, parameter("what to leave")] = "nothing"


def find_traces() -> dict[str, object]:
    """What every program can change in its process."""
    return {
        "environment": {name: value for name, value in os.environ.items() if name not in {"HOME", "TMPDIR"}},
        "folder": os.getcwd(),  # noqa: PTH109
        "path": list(sys.path),
        "arguments": list(sys.argv),
        "recursion": sys.getrecursionlimit(),
        "handler": str(signal.getsignal(signal.SIGALRM)),
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "filters": len(warnings.filters),
        "log": (logging.root.level, len(logging.root.handlers), logging.root.manager.disable),
    }


def _change_all(step: Step[Leaving]) -> None:
    os.environ["LEFT"] = "1"
    del os.environ["PATH"]
    os.chdir(step.work)
    os.umask(0)
    sys.path.insert(0, "/left")
    sys.argv.append("left")
    sys.setrecursionlimit(1234)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 3600)
    warnings.simplefilter("ignore")
    logging.disable()
    logging.root.setLevel(logging.DEBUG)
    logging.root.addHandler(logging.NullHandler())


def _leave_orphan() -> None:
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    os.wait()


LEFT: dict[str, Callable[[Step[Leaving]], object]] = {
    "nothing": lambda step: None,
    "changes": _change_all,
    "thread": lambda step: threading.Thread(target=time.sleep, args=(3600,), daemon=True).start(),
    "file": lambda step: _held.append((step.work / "left").open("w")),
    "process": lambda step: _held.append(subprocess.Popen(["/bin/sleep", "3600"])),
    "ended process": lambda step: subprocess.run(["/bin/true"], check=True),
    "orphan": lambda step: _leave_orphan(),
    "memory": lambda step: _held.append(bytearray(b"x") * (300 << 20)),
}


@registry.entry("leave", summary="leaves something", parameters=Leaving, inputs=MODEL[0], outputs=MODEL[1])
def leave(step: Step[Leaving]) -> None:
    """Tells the process and what it found; prints without the end of a line."""
    warnings.warn("said in every step", UserWarning, stacklevel=1)
    os.write(1, f"last words of {step.name}".encode())
    step.record({"pid": os.getpid(), "traces": msgspec.to_builtins(find_traces())})
    LEFT[step.params.what](step)
    step.output("model").write_text("1")


@registry.entry("go-out", summary="is not confined", inputs=MODEL[0], outputs=MODEL[1], confined=False)
def go_out(step: Step[msgspec.Struct]) -> None:
    """Writes where a step of a slot cannot."""
    (step.directory.parents[2] / "written").write_text("1")
    (step.directory / "out").mkdir(exist_ok=True)
    step.record({"pid": os.getpid()})
    step.output("model").write_text("1")


@registry.entry("fail", summary="fails", inputs=MODEL[0], outputs=MODEL[1])
def fail(step: Step[msgspec.Struct]) -> None:
    raise RuntimeError("as it should")


@registry.entry("use-memory", summary="takes 200 MiB, and gives them back", inputs=MODEL[0], outputs=MODEL[1])
def use_memory(step: Step[msgspec.Struct]) -> None:
    with mmap.mmap(-1, 200 << 20) as taken:
        taken.write(b"x" * (200 << 20))
    step.output("model").write_text("1")


@registry.entry("remember", summary="writes where it ran", inputs=MODEL[0], outputs=MODEL[1])
def remember(step: Step[msgspec.Struct]) -> None:
    _held.append(step.directory)
    step.output("model").write_text("1")


class Misuse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outside: Annotated[str, parameter("a folder of the user's")] = ""


@registry.entry("keep", summary="keeps its outputs open", parameters=Misuse, inputs=MODEL[0], outputs=MODEL[1])
def keep(step: Step[Misuse]) -> None:
    """Also puts a link in the place of the next step's folder, and hides that it holds anything."""
    process_state.ProcessState._holds_more = lambda _: False  # type: ignore[method-assign,assignment]
    step.output("model").write_text("1")
    _held.append(os.open(step.directory / "out", os.O_RDONLY | os.O_DIRECTORY))
    (step.directory.parent / "link").symlink_to(step.params.outside)


@registry.entry("use-kept", summary="uses what an earlier step kept open", inputs=MODEL[0], outputs=MODEL[1])
def use_kept(step: Step[msgspec.Struct]) -> None:
    kept = _held[-1]
    assert isinstance(kept, int)
    made = "nothing"
    with contextlib.suppress(OSError):
        os.close(os.open("more", os.O_WRONLY | os.O_CREAT, dir_fd=kept))
        made = "more"
    step.record({"made": made})
    step.output("model").write_text("1")


@registry.entry("tell", summary="writes where the step before it ran", inputs=MODEL[0], outputs=MODEL[1])
def tell(step: Step[msgspec.Struct]) -> None:
    step.output("model").write_text(str(_held[-1]))


@registry.entry("reach", summary="tries to use what it got from an earlier step", inputs=MODEL[0], outputs=MODEL[1])
def reach(step: Step[msgspec.Struct]) -> None:
    """Records what it can read and write: of its slot, of its inputs, of others."""
    slot = step.directory.parent
    steps = slot.parents[1]
    inputs = steps.parent / "inputs"
    reached = {}
    for name, path in {
        "own": step.directory / "out" / "more",
        "slot": slot / "more",
        "above": slot.parent / "more",
        "beside": steps / "more",
        "other": steps / "other" / "steps" / "more",
        "inputs": inputs / slot.relative_to(steps) / "more",
    }.items():
        try:
            path.write_text("x")
            path.unlink()
        except OSError as error:
            reached[name] = type(error).__name__
        else:
            reached[name] = "written"
    for name, path in {
        "given": inputs / slot.relative_to(steps) / "given",
        "other's": inputs / "other" / "steps" / "given",
    }.items():
        try:
            reached[name] = path.read_text()
        except OSError as error:
            reached[name] = type(error).__name__
    step.record({"reached": reached})
    step.output("model").write_text("1")
