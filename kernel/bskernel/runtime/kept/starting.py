"""Starts a keeper."""

from __future__ import annotations

import subprocess
import sys

import msgspec
from bskernel_protocol import Failure

from bskernel.ports import SessionFailed
from bskernel.runtime.kept.messages import Kept, Order
from bskernel.runtime.kept.place import Place

_LAST_LINES = 8


def start_keeper(order: Order, place: Place) -> Kept:
    """Returns when its server is starting; whoever borrows it hears when it is ready. Raises SessionFailed."""
    command = [sys.executable, "-P", "-m", "bskernel.runtime.kept", msgspec.json.encode(order).decode()]
    with place.log.open("w+b") as log:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, check=False
        )
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    try:
        return msgspec.json.decode(done.stdout, type=Kept)
    except msgspec.DecodeError:
        pass
    try:
        failure = msgspec.json.decode(done.stdout, type=Failure)
    except msgspec.DecodeError:
        cause = tuple(line for line in said.splitlines() if line.strip())[-_LAST_LINES:]
        message = f"the keeper of {order.executor} did not come up"
        failure = Failure(category="environment", message=message, cause=cause)
    raise SessionFailed(failure)
