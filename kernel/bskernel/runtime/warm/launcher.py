"""Starts a keeper."""

from __future__ import annotations

import subprocess
import sys

import msgspec
from bskernel_protocol import Failure

from bskernel.core.interfaces import SessionFailed
from bskernel.runtime.warm.messages import Busy, DaemonSpec, Failed, Up
from bskernel.runtime.warm.registry import SessionEntry

_LAST_LINES = 8


def start_daemon(order: DaemonSpec, place: SessionEntry) -> bool:
    """True when its server is starting; whoever borrows it hears when it is ready. False when another is there.

    Raises SessionFailed.
    """
    command = [sys.executable, "-P", "-m", "bskernel.runtime.warm", msgspec.json.encode(order).decode()]
    with place.log.open("w+b") as log:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,
            check=False,
        )
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    try:
        told = msgspec.json.decode(done.stdout, type=Up | Busy | Failed)
    except msgspec.DecodeError:
        cause = tuple(line for line in said.splitlines() if line.strip())[-_LAST_LINES:]
        message = f"the keeper of {order.executor} did not come up"
        raise SessionFailed(Failure(category="environment", message=message, cause=cause)) from None
    if isinstance(told, Failed):
        raise SessionFailed(told.failure)
    return isinstance(told, Up)
