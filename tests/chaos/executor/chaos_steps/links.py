"""Links in place of what the kernel reads, writes or removes."""

import os
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import Step
from bskernel_protocol.layout import LOG, MANIFEST, RESULT

from .behaviour import Aims, behaviour
from .files import clear

PLACES = {
    "model": "out/model",
    "tree": "out/tree",
    "in-tree": "out/tree/link",
    "out": "out",
    "work": "work",
    "in": "in",
    "log": LOG,
    "manifest": MANIFEST,
    "result": RESULT,
}


def link(step: Step[Any], path: str, target: str | Path) -> None:
    place = step.directory / path
    clear(place)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(target)
    if path == RESULT:
        os._exit(0)  # else the server's own code replaces it


@behaviour(variants=PLACES)
def to_secret(step: Step[Any], aims: Aims, path: str) -> None:
    link(step, path, aims.outside / "secret.txt")


@behaviour(variants=PLACES)
def to_writable(step: Step[Any], aims: Aims, path: str) -> None:
    link(step, path, aims.outside / "writable.txt")


@behaviour(variants={name: path for name, path in PLACES.items() if name in {"tree", "in-tree", "out", "work", "in"}})
def to_folder(step: Step[Any], aims: Aims, path: str) -> None:
    link(step, path, aims.outside / "folder")


@behaviour(variants={name: path for name, path in PLACES.items() if name != "in"})
def to_itself(step: Step[Any], aims: Aims, path: str) -> None:
    link(step, path, Path(path).name)


@behaviour(variants={"zero": "/dev/zero", "full": "/dev/full", "tty": "/dev/tty", "kmsg": "/proc/kmsg"})
def log_to_device(step: Step[Any], aims: Aims, device: str) -> None:
    link(step, LOG, device)


@behaviour(variants={"model": "out/model", "log": LOG, "result": RESULT, "in-tree": "out/tree/hard"})
def hard_to_secret(step: Step[Any], aims: Aims, path: str) -> None:
    """A hard link to a file outside, where both lie on one file system and the step may reach it."""
    place = step.directory / path
    clear(place)
    place.parent.mkdir(exist_ok=True)
    os.link(aims.outside / "secret.txt", place)
    if path == RESULT:
        os._exit(0)


@behaviour(variants={"work": "work/link", "tree": "out/tree/link"})
def many_links_to_folder(step: Step[Any], aims: Aims, path: str) -> None:
    """Removing the folder must not remove what the links lead to."""
    place = step.directory / path
    place.parent.mkdir(exist_ok=True)
    for number in range(20):
        place.with_name(f"link{number}").symlink_to(aims.outside / "folder")


@behaviour()
def swapping(step: Step[Any], aims: Aims) -> None:
    """A child that left the group swaps the output for a link while it is captured."""
    if os.fork() == 0:
        os.setsid()
        place, spare = step.output("model"), step.work / "spare"
        while True:
            spare.unlink(missing_ok=True)
            spare.symlink_to(aims.outside / "secret.txt")
            spare.replace(place)
            spare.write_text("1")
            spare.replace(place)
