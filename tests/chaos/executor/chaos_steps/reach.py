"""Reaching outside of the step's folder: files, the cache, the network, mounts."""

import contextlib
import ctypes
import http.client
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step

from .behaviour import Aims, behaviour


def cache_of(step: Step[Any]) -> Path:
    """The cache, if the step's folder lies in it: CACHE/sessions/ID/steps/SLOT/steps/STEP."""
    return step.directory.resolve().parents[5]


@behaviour(variants={"model": "out", "log": "log", "record": "record", "progress": "progress"})
def reads_secret(step: Step[Any], aims: Aims, into: str) -> None:
    secret = (aims.outside / "secret.txt").read_text()
    if into == "out":
        step.output("model").write_text(secret)
    elif into == "log":
        print(secret)
    elif into == "record":
        step.record({"secret": secret})
    else:
        step.progress(secret)


@behaviour()
def copies_folder(step: Step[Any], aims: Aims) -> None:
    shutil.copytree(aims.outside / "folder", step.output("tree"))


WRITES = {
    "new": lambda outside: (outside / "new.txt").write_text("new"),
    "overwrite": lambda outside: (outside / "writable.txt").write_text("overwritten"),
    "append": lambda outside: (outside / "writable.txt").open("a").write("more"),
    "truncate": lambda outside: os.truncate(outside / "writable.txt", 0),
    "remove": lambda outside: (outside / "writable.txt").unlink(),
    "rename": lambda outside: (outside / "writable.txt").rename(outside / "renamed.txt"),
    "folder": lambda outside: (outside / "made").mkdir(),
    "remove-folder": lambda outside: shutil.rmtree(outside / "folder"),
    "link": lambda outside: (outside / "link").symlink_to("secret.txt"),
    "hard-link": lambda outside: os.link(outside / "secret.txt", outside / "hard"),
    "fifo": lambda outside: os.mkfifo(outside / "queue"),
    "mode": lambda outside: (outside / "writable.txt").chmod(0o777),
    "time": lambda outside: os.utime(outside / "writable.txt", (0, 0)),
    "attribute": lambda outside: os.setxattr(outside / "writable.txt", "user.owned", b"1"),
    "child": lambda outside: subprocess.run(["touch", outside / "child.txt"], check=False),
}


@behaviour(variants=WRITES)
def writes_outside(step: Step[Any], aims: Aims, write: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):
        write(aims.outside)


@behaviour(
    variants={"blobs": "blobs", "actions": "actions", "incoming": "incoming", "kept": "kept", "claims": "claims"}
)
def writes_cache(step: Step[Any], aims: Aims, where: str) -> None:
    """Spoil every file of a folder of the cache, or leave one there."""
    folder = cache_of(step) / where
    with contextlib.suppress(OSError):
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.write_bytes(b"spoilt")
        folder.mkdir(exist_ok=True)
        (folder / "foreign").write_bytes(b"foreign")


@behaviour()
def spoils_blobs_keeping_times(step: Step[Any], aims: Aims) -> None:
    """The right size and the right time, with other bytes."""
    with contextlib.suppress(OSError):
        for path in [path for path in (cache_of(step) / "blobs").rglob("*") if path.is_file()]:
            found = path.stat()
            path.write_bytes(b"X" * found.st_size)
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@behaviour()
def spoils_environment(step: Step[Any], aims: Aims) -> None:
    """Its own code, which later steps run: a file beside it, which nothing imports."""
    with contextlib.suppress(OSError):
        (Path(__file__).parent / "left_by_a_step.txt").write_text("left")


@behaviour(variants={"tcp": socket.AF_INET, "tcp6": socket.AF_INET6})
def connects(step: Step[Any], aims: Aims, family: int) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with contextlib.suppress(OSError), socket.socket(family) as connection:
        connection.settimeout(2)
        connection.connect((host, aims.port))
        connection.sendall(b"hello from a step")


@behaviour()
def posts(step: Step[Any], aims: Aims) -> None:
    with contextlib.suppress(OSError):
        http.client.HTTPConnection("127.0.0.1", aims.port, timeout=2).request("POST", "/", b"data")


@behaviour("either")
def listens(step: Step[Any], aims: Aims) -> None:
    with contextlib.suppress(OSError), socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


@behaviour(variants={"tmpfs": b"tmpfs", "bind": b"none", "proc": b"proc"})
def mounts(step: Step[Any], aims: Aims, kind: bytes) -> None:
    target = os.fsencode(aims.outside / "folder")
    libc = ctypes.CDLL(None, use_errno=True)
    if kind == b"none":
        libc.mount(os.fsencode(step.work), target, kind, 4096, None)
    else:
        libc.mount(kind, target, kind, 0, None)


@behaviour()
def asks_engine(step: Step[Any], aims: Aims) -> None:
    """The engine's socket, which would give it the whole machine: only a greeting."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect("/var/run/docker.sock")
        connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        if b"200" in connection.recv(100):
            print("the engine answers a step")
