"""Decides when a session's server has stopped reacting: one that is merely silent, or busy, has not.

Arithmetic over what the channel sees each time that it looks. Time counts in looks, so a kernel or a machine that was
asleep finds nothing wrong afterwards.
"""

from __future__ import annotations

from typing import Literal

import msgspec

LOOK_S = 1.0
HEARTBEAT_S = 2.0  # how often a server says, while steps run, that it reacts
_STOPPED_S = 5.0
_ENDED_S = 3.0  # what it wrote before it ended may still arrive
_TORN_S = 15.0  # for the rest of a message
_FLOW = 1 << 16  # bytes per look of a message that is still being sent
_SILENT_S = 20.0  # without a heartbeat and without using the processor
_UNKNOWN_S = 60.0  # without a heartbeat where the processor's use is not known

ServerState = Literal["running", "waiting", "stopped", "gone", "unknown"]


class VitalSigns(msgspec.Struct, frozen=True, kw_only=True):
    """What the system, or the engine, says of a server: its state, and the processor time used, in any unit.

    `what` names it for people: "process 123", "its container".
    """

    state: ServerState = "unknown"
    used: float | None = None
    what: str = "its server"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel sees: bytes and whole messages received so far, whether they end inside a message."""

    received: int
    messages: int
    torn: bool
    expects_heartbeat: bool
    signs: VitalSigns


class LivenessWatch:
    """Takes a look every LOOK_S seconds and says what is wrong, if anything is."""

    def __init__(self) -> None:
        self._received = self._messages = -1
        self._used: float | None = None
        self._quiet = self._stopped = self._ended = self._torn = 0.0

    def judge(self, look: Look) -> str | None:
        """Why the server will never answer, as the end of a sentence; None while it may."""
        moved = look.received != self._received
        # A message that grows by a few bytes now and then is torn too: what follows it is taken for its rest.
        flows = look.messages != self._messages or look.received - self._received >= _FLOW
        busy = look.signs.used is not None and self._used is not None and look.signs.used > self._used
        self._received, self._messages, self._used = look.received, look.messages, look.signs.used
        state, what = look.signs.state, look.signs.what
        self._stopped = self._stopped + LOOK_S if state == "stopped" else 0.0
        self._ended = self._ended + LOOK_S if state == "gone" and not moved else 0.0
        self._torn = self._torn + LOOK_S if look.torn and not flows and not busy else 0.0
        silent = look.expects_heartbeat and not moved and not busy and state in {"running", "unknown"}
        self._quiet = self._quiet + LOOK_S if silent else 0.0
        if self._stopped >= _STOPPED_S:
            return f"was stopped and did not go on for {_STOPPED_S:.0f} s: {what} is stopped, traced or paused"
        if self._ended >= _ENDED_S:
            return f"ended, and something that it left keeps its channel open: {what} is gone"
        if self._torn >= _TORN_S:
            return f"sent part of a message, whose rest did not come within {_TORN_S:.0f} s"
        limit = _UNKNOWN_S if look.signs.used is None else _SILENT_S
        if self._quiet >= limit:
            return f"did not react for {limit:.0f} s and used no processor: {what} is stuck"
        return None
