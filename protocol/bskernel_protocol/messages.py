"""The messages between a kernel and a session: commands to the session, events from it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class RunStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="run-step"):
    """Carry out the manifest in the named step directory (relative to the session's root), beside what runs there."""

    directory: str


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cancel"):
    """End the step that is running in `directory`; any other goes on."""

    directory: str


class Ready(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ready"):
    """The session has imported its libraries and takes steps."""

    protocol: int
    executor: str
    version: str


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step-started"):
    """A child process carries out the step in `directory` now."""

    directory: str


class OutputLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="output-line"):
    """A line that the step in `directory`, or a tool it ran, printed."""

    directory: str
    stream: Literal["stdout", "stderr"]
    text: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="progress"):
    """What the step in `directory` is doing, in a few words."""

    directory: str
    text: str


class StepFinished(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step-finished"):
    """The step has ended: its process with `exit_code` or minus a signal, or the step alone. See result.msgpack."""

    directory: str
    exit_code: int
    peak_mib: int | None = None  # peak memory of its largest process, in MiB
    oom_kills: int = 0  # processes of the session killed for lack of memory while the step ran


class Alive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="alive"):
    """The session reacts, however silent its steps are. Only a session that was asked for heartbeats sends it."""


Command: TypeAlias = RunStep | Cancel
Event: TypeAlias = Ready | StepStarted | OutputLine | Progress | StepFinished | Alive
