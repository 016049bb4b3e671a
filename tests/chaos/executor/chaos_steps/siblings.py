"""Other steps of the session: their folders, inputs and processes."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step

from .behaviour import Aims, behaviour

FOR_S = 0.6  # as long as the sibling runs


def folders(step: Step[Any]) -> Iterator[Path]:
    """Those of this slot, and of the others."""
    with contextlib.suppress(OSError):
        yield from (path for path in step.directory.parents[2].glob("*/*/*") if path != step.directory)


def again(act: Callable[[], None]) -> None:
    """Do it until the sibling is over."""
    deadline = time.monotonic() + FOR_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            act()


def write_outputs(folder: Path) -> None:
    for path in (folder / "out").rglob("*"):
        if path.is_file():
            path.write_text("spoilt")


def write_result(folder: Path) -> None:
    (folder / "result.msgpack").write_bytes(b"spoilt")


def write_log(folder: Path) -> None:
    (folder / "log.jsonl").write_text("{}\n" * 100)


def write_manifest(folder: Path) -> None:
    (folder / "manifest.msgpack").write_bytes(b"spoilt")


def write_inputs(folder: Path) -> None:
    for path in (folder / "in").rglob("*"):
        path.chmod(0o644)
        path.write_text("7")


def remove_outputs(folder: Path) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)


def rename(folder: Path) -> None:
    folder.rename(folder.with_name(f"{folder.name}-away"))


def leave_file(folder: Path) -> None:
    (folder / "out" / "tree").mkdir(parents=True, exist_ok=True)
    (folder / "out" / "tree" / "left").write_text("left by another step")


ACTS = {
    name.replace("_", "-"): act
    for name, act in globals().items()
    if name
    in {
        "write_outputs",
        "write_result",
        "write_log",
        "write_manifest",
        "write_inputs",
        "remove_outputs",
        "rename",
        "leave_file",
    }
}


@behaviour(variants=ACTS)
def spoils(step: Step[Any], aims: Aims, act: Callable[[Path], None]) -> None:
    def spoil() -> None:
        for folder in folders(step):
            with contextlib.suppress(OSError):
                act(folder)

    again(spoil)


@behaviour()
def spoils_between_end_and_capture(step: Step[Any], aims: Aims) -> None:
    """Waits for a sibling's result, then changes what it made, as fast as it can."""

    def spoil() -> None:
        for folder in folders(step):
            if (folder / "result.msgpack").exists():
                write_outputs(folder)

    again(spoil)


@behaviour()
def leaves_spare_folders(step: Step[Any], aims: Aims) -> None:
    """Folders that look as if they could be used again, with a link in them."""
    for number in range(3):
        spare = step.directory.parents[number] / f".spare-{number}"
        with contextlib.suppress(OSError):
            (spare / "work").mkdir(parents=True)
            (spare / "out").symlink_to(aims.outside / "folder")
            (spare / "in").symlink_to(aims.outside / "folder")


@behaviour(timeout_s=6, variants={"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP})
def signals_siblings(step: Step[Any], aims: Aims, signum: int) -> None:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getppid() and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signum)
    time.sleep(1)


@behaviour(variants={"1": "1", "666": "666"})
def changes_own_input(step: Step[Any], aims: Aims, text: str) -> None:
    given = step.required_input("model")
    with contextlib.suppress(OSError):
        given.chmod(0o644)
        given.write_text(text)
