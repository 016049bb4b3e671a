"""What Vivado, and Vitis HLS, print: messages with severity and id, and which version speaks."""

from __future__ import annotations

import re

import msgspec

from bskernel_executors.sdk.tool_messages import Message, parse_messages

_VERSION = re.compile(
    r"^[#*\s]*(?P<tool>Vivado(?: STAND-IN)?|Vitis HLS|Vivado HLS)\b.*?\bv(?P<version>\d{4}\.\d+(?:\.\d+)?)"
)
_BUILD = re.compile(r"^[#*\s]*SW Build:? (\d+)")


class Log(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The messages of a run in order, with all its lines."""

    lines: tuple[str, ...]
    messages: tuple[Message, ...] = ()
    tool: str | None = None
    version: str | None = None
    build: str | None = None


def read_log(text: str) -> Log:
    """The messages of a log; a line that is none is kept as a line."""
    lines = text.splitlines()
    version = next(filter(None, map(_VERSION.match, lines)), None)
    build = next(filter(None, map(_BUILD.match, lines)), None)
    return Log(
        lines=tuple(lines),
        messages=parse_messages(lines),
        tool=version.group("tool") if version is not None else None,
        version=version.group("version") if version is not None else None,
        build=build.group(1) if build is not None else None,
    )
