"""Starts the daemon of a warm session."""

from __future__ import annotations

import subprocess
import sys

import msgspec
from bskernel_protocol import Failure

from bskernel.core.interfaces import SessionFailed
from bskernel.runtime.warm.messages import Busy, DaemonSpec, Failed, Up
from bskernel.runtime.warm.registry import SessionEntry

_LAST_LINES = 8


def start_daemon(spec: DaemonSpec, entry: SessionEntry) -> bool:
    """Start a daemon; False when the session has one already. Returns while the server is still starting.

    Raises SessionFailed.
    """
    command = [sys.executable, "-P", "-m", "bskernel.runtime.warm", msgspec.json.encode(spec).decode()]
    with entry.log.open("w+b") as log:
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
        output = log.read().decode("utf-8", "replace")
    try:
        message = msgspec.json.decode(done.stdout, type=Up | Busy | Failed)
    except (ValueError, RecursionError):
        cause = tuple(line for line in output.splitlines() if line.strip())[-_LAST_LINES:]
        text = f"the warm session of {spec.executor} did not start"
        raise SessionFailed(Failure(category="environment", message=text, cause=cause)) from None
    if isinstance(message, Failed):
        raise SessionFailed(message.failure)
    return isinstance(message, Up)
