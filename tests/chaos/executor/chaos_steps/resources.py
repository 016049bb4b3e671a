"""Memory, processes and file descriptors, within bounds that spare the machine."""

import contextlib
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from bskernel_executors.sdk import Step

from .behaviour import Aims, behaviour


@behaviour("failed", memory_mib=400)
def takes_memory(step: Step[Any], aims: Aims) -> None:
    held = []
    while True:
        held.append(bytearray(b"1") * (50 << 20))


@behaviour("failed", memory_mib=400)
def maps_memory(step: Step[Any], aims: Aims) -> None:
    mmap.mmap(-1, 8 << 30)


@behaviour(memory_mib=400)
def takes_memory_in_children(step: Step[Any], aims: Aims) -> None:
    code = "held = bytearray(b'1') * (300 << 20); import time; time.sleep(2)"
    for child in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]:
        child.wait()


@behaviour()
def opens_files(step: Step[Any], aims: Aims) -> None:
    with contextlib.suppress(OSError):
        for _ in range(100_000):
            os.open("/dev/null", os.O_RDONLY)


@behaviour()
def opens_pipes_at_limit(step: Step[Any], aims: Aims) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    while True:
        os.pipe()


@behaviour(timeout_s=10)
def starts_processes(step: Step[Any], aims: Aims) -> None:
    """Two hundred at once; more would be a burden for who else works here."""
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(3600)


@behaviour(timeout_s=10)
def starts_threads(step: Step[Any], aims: Aims) -> None:
    for _ in range(300):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


@behaviour("failed", timeout_s=3)
def computes_for_ever(step: Step[Any], aims: Aims) -> None:
    while True:
        pass


@behaviour("either")
def limits_file_size(step: Step[Any], aims: Aims) -> None:
    """Its own result cannot be written any more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@behaviour()
def shares_memory(step: Step[Any], aims: Aims) -> None:
    """A file in shared memory must not stay."""
    os.close(os.memfd_create("chaos"))
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(1 << 20)
