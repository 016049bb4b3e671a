"""What Vivado, and Vitis HLS, print: messages with severity and id, and which version speaks."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, cast

import msgspec

Severity: TypeAlias = Literal["INFO", "STATUS", "WARNING", "CRITICAL WARNING", "ERROR", "FATAL"]
# DRC messages hold ids such as [DRC UTLZ-1]; HLS's are [HLS 200-101].
_MESSAGE = re.compile(
    r"^(?P<severity>INFO|STATUS|WARNING|CRITICAL WARNING|ERROR|FATAL): "
    r"(?:\[(?P<id>[A-Za-z_]\w*(?: \w+)?-\d+)\] )?(?P<text>.*)$"
)
_PLACE = re.compile(r"\s*\[(?P<file>[^\[\]]+):(?P<line>\d+)\]\s*$")
_VERSION = re.compile(
    r"^[#*\s]*(?P<tool>Vivado(?: STAND-IN)?|Vitis HLS|Vivado HLS)\b.*?\bv(?P<version>\d{4}\.\d+(?:\.\d+)?)"
)
_BUILD = re.compile(r"^[#*\s]*SW Build:? (\d+)")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message; `line` is its number in the log, from 1; `source` the FILE:LINE that it points to."""

    severity: Severity
    text: str
    line: int
    id: str | None = None
    source: str | None = None


class Log(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The messages of a run in order, with all its lines."""

    lines: tuple[str, ...]
    messages: tuple[Message, ...] = ()
    tool: str | None = None
    version: str | None = None
    build: str | None = None


def _message(text: str, number: int) -> Message | None:
    match = _MESSAGE.match(text)
    if match is None:
        return None
    said = match.group("text").rstrip()
    place = _PLACE.search(said)
    return Message(
        severity=cast("Severity", match.group("severity")),
        id=match.group("id"),
        text=said[: place.start()] if place is not None else said,
        source=f"{place.group('file')}:{place.group('line')}" if place is not None else None,
        line=number,
    )


def read_log(text: str) -> Log:
    """The messages of a log; a line that is none is kept as a line."""
    lines = text.splitlines()
    version = next(filter(None, map(_VERSION.match, lines)), None)
    build = next(filter(None, map(_BUILD.match, lines)), None)
    found = (_message(line, number) for number, line in enumerate(lines, start=1))
    return Log(
        lines=tuple(lines),
        messages=tuple(message for message in found if message is not None),
        tool=version.group("tool") if version is not None else None,
        version=version.group("version") if version is not None else None,
        build=build.group(1) if build is not None else None,
    )
