"""Files of the step's own folder: odd names, kinds, sizes, modes and depths."""

import os
import shutil
import socket
import stat
import time
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step
from bskernel_protocol.layout import LOG, MANIFEST, RESULT

from .behaviour import Aims, behaviour

ODD_NAMES = {
    "no-utf-8": b"\xff\xfe name",
    "newline": b"two\nlines",
    "escape": b"\x1b]0;title\x07\x1b[2J",
    "backslash": b"back\\slash",
    "longest": b"n" * 255,
    "bidi": "\u202egnp.exe".encode(),
    "surrogate": b"\xed\xa0\x80",
    "dash": b"-rf",
    "blank": b" ",
    "dots": b"...",
}
PLACES = {"out": "out/model", "result": RESULT, "log": LOG, "manifest": MANIFEST}


def make_deep(folder: Path, depth: int) -> None:
    """Folders in one another, deeper than a path may be long."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    for _ in range(depth):
        os.mkdir("d")  # noqa: PTH102 - 5,000 times
        os.chdir("d")
    Path("leaf").write_text("leaf")
    os.fchdir(before)
    os.close(before)


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@behaviour(variants=ODD_NAMES)
def named_in_tree(step: Step[Any], aims: Aims, name: bytes) -> None:
    tree = step.output("tree")
    tree.mkdir()
    (tree / os.fsdecode(name)).write_text("1")


@behaviour(variants=ODD_NAMES)
def named_in_out(step: Step[Any], aims: Aims, name: bytes) -> None:
    (step.directory / "out" / os.fsdecode(name)).write_text("1")


@behaviour(variants={"no-utf-8": b"\xff", "escape": b"\x1b[2J", "newline": b"a\nb"})
def named_beside(step: Step[Any], aims: Aims, name: bytes) -> None:
    (step.directory / os.fsdecode(name)).write_text("1")


@behaviour("ok", variants={"1500": 1500, "5000": 5000})
def deep_work(step: Step[Any], aims: Aims, depth: int) -> None:
    make_deep(step.work, depth)


@behaviour(variants={"100": 100, "1500": 1500, "5000": 5000})
def deep_tree(step: Step[Any], aims: Aims, depth: int) -> None:
    step.output("tree").mkdir()
    make_deep(step.output("tree"), depth)


@behaviour(variants={"work": "work", "tree": "out/tree"})
def many_files(step: Step[Any], aims: Aims, where: str) -> None:
    folder = step.directory / where
    folder.mkdir(exist_ok=True)
    for number in range(20_000):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))


@behaviour(
    variants={
        f"{size}-{place}": (1 << power, path)
        for size, power in (("gigabytes", 34), ("terabytes", 42))
        for place, path in PLACES.items()
    }
)
def sparse(step: Step[Any], aims: Aims, what: tuple[int, str]) -> None:
    size, path = what
    with (step.directory / path).open("ab") as file:
        file.truncate(size)


@behaviour(variants=PLACES)
def fifo(step: Step[Any], aims: Aims, path: str) -> None:
    clear(step.directory / path)
    os.mkfifo(step.directory / path)
    if path == RESULT:
        os._exit(0)  # else the server's own code replaces it


@behaviour(variants={"work": "work/queue", "tree": "out/tree/queue", "beside": "queue", "in": "in/queue"})
def fifo_in(step: Step[Any], aims: Aims, path: str) -> None:
    (step.directory / path).parent.mkdir(exist_ok=True)
    os.mkfifo(step.directory / path)


@behaviour(variants=PLACES)
def folder(step: Step[Any], aims: Aims, path: str) -> None:
    clear(step.directory / path)
    (step.directory / path).mkdir()
    if path == RESULT:
        os._exit(0)


@behaviour(variants={"model": "out/model", "tree": "out/tree/socket", "work": "work/socket"})
def socket_file(step: Step[Any], aims: Aims, path: str) -> None:
    clear(step.directory / path)
    (step.directory / path).parent.mkdir(exist_ok=True)
    os.chdir((step.directory / path).parent)
    socket.socket(socket.AF_UNIX).bind(Path(path).name)


@behaviour(variants={"model": "out/model", "tree": "out/tree/zero", "log": LOG, "result": RESULT})
def device(step: Step[Any], aims: Aims, path: str) -> None:
    """An endless file, where the step may make one."""
    clear(step.directory / path)
    (step.directory / path).parent.mkdir(exist_ok=True)
    os.mknod(step.directory / path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    if path == RESULT:
        os._exit(0)


@behaviour(variants={"model": "out/model", "tree": "out/tree/tool", "work": "work/tool"})
def set_user_id(step: Step[Any], aims: Aims, path: str) -> None:
    file = step.directory / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\nid\n")
    file.chmod(0o6755)


@behaviour(
    variants={"out": "out", "model": "out/model", "work": "work", "step": ".", "log": LOG, "manifest": MANIFEST}
)
def without_mode(step: Step[Any], aims: Aims, path: str) -> None:
    (step.directory / path).chmod(0)


@behaviour(variants={"work": "work", "tree": "out/tree"})
def closed_folders(step: Step[Any], aims: Aims, where: str) -> None:
    inner = step.directory / where / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "c").write_text("c")
    for closed in (inner, inner.parent):
        closed.chmod(0)


@behaviour(variants={"out": "out", "work": "work", "in": "in", "step": ".", "log": LOG, "manifest": MANIFEST})
def removed(step: Step[Any], aims: Aims, path: str) -> None:
    clear((step.directory / path).resolve() if path == "." else step.directory / path)


@behaviour(variants={"out": "out", "step": "."})
def renamed(step: Step[Any], aims: Aims, path: str) -> None:
    target = (step.directory / path).resolve()
    target.rename(target.with_name(f"{target.name}-away"))


@behaviour("either", variants={"future": 2**33, "past": 0, "stamp": 315_532_800})
def odd_times(step: Step[Any], aims: Aims, when: int) -> None:
    os.utime(step.output("model"), (when, when))


@behaviour("ok")
def hard_links(step: Step[Any], aims: Aims) -> None:
    tree = step.output("tree")
    tree.mkdir()
    (tree / "one").write_text("1")
    for number in range(50):
        os.link(tree / "one", tree / str(number))


@behaviour(timeout_s=30)
def keeps_writing(step: Step[Any], aims: Aims) -> None:
    """A child that left the group changes the output while it is captured."""
    if os.fork() == 0:
        os.setsid()
        deadline = time.monotonic() + 20
        number = 0
        while time.monotonic() < deadline:
            number += 1
            step.output("model").write_text(str(number))
        os._exit(0)
