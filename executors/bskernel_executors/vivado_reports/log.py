"""Read what Vivado or Vitis HLS print: messages with severity and id, and the tool's version."""

from __future__ import annotations

import re

import msgspec

from bskernel_executors.sdk.tool_messages import Message, parse_messages

_VERSION = re.compile(
    r"^[#*\s]*(?P<tool>Vivado(?: STAND-IN)?|Vitis HLS|Vivado HLS)\b.*?\bv(?P<version>\d{4}\.\d+(?:\.\d+)?)"
)
_BUILD = re.compile(r"^[#*\s]*SW Build:? (\d+)")


class ToolLog(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The messages of a run in order, with all its lines."""

    lines: tuple[str, ...]
    messages: tuple[Message, ...] = ()
    tool: str | None = None
    version: str | None = None
    build: str | None = None


def read_log(text: str) -> ToolLog:
    """Read a log. Lines that are no message are kept as lines."""
    lines = text.splitlines()
    version = next(filter(None, map(_VERSION.match, lines)), None)
    build = next(filter(None, map(_BUILD.match, lines)), None)
    return ToolLog(
        lines=tuple(lines),
        messages=parse_messages(lines),
        tool=version.group("tool") if version is not None else None,
        version=version.group("version") if version is not None else None,
        build=build.group(1) if build is not None else None,
    )
