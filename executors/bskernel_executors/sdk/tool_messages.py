"""What tools say in a log: AMD's messages with severity and id, also as another tool passes them on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias, cast

import msgspec

Severity: TypeAlias = Literal["INFO", "STATUS", "WARNING", "CRITICAL WARNING", "ERROR", "FATAL"]
_SEVERITY = r"(?P<severity>CRITICAL WARNING|INFO|STATUS|WARNING|ERROR|FATAL)\s*:\s*"
# DRC messages hold ids such as [DRC UTLZ-1]; HLS's are [HLS 200-101], the linker's [v++ 60-602].
_ID = r"\[(?P<id>[A-Za-z_][\w+]*(?: \w+)?-\d+)\]"
_TEXT = r"\s?(?P<text>.*)$"
_OWN = re.compile(rf"^{_SEVERITY}(?:{_ID})?{_TEXT}")
# "[10:21:07] ERROR: [Place 30-640] text": only with an id is it surely a message and not a sentence.
_PASSED_ON = re.compile(rf"(?<!\w){_SEVERITY}{_ID}{_TEXT}")
_PLACE = re.compile(r"\s*\[(?P<file>[^\[\]]+):(?P<line>\d+)\]\s*$")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message; `line` is its number in the log, from 1; `source` the FILE:LINE that it points to."""

    severity: Severity
    text: str
    whole: str  # the line as it stands
    line: int
    id: str | None = None
    source: str | None = None

    @property
    def is_error(self) -> bool:
        """Does the tool itself call it an error?"""
        return self.severity in {"ERROR", "FATAL"}

    @property
    def is_bad(self) -> bool:
        """An error or a critical warning."""
        return self.is_error or self.severity == "CRITICAL WARNING"


def _message(line: str, number: int) -> Message | None:
    match = _OWN.match(line) or _PASSED_ON.search(line)
    if match is None:
        return None
    said = match["text"].rstrip()
    place = _PLACE.search(said)
    return Message(
        severity=cast("Severity", match["severity"]),
        id=match["id"],
        text=said[: place.start()] if place is not None else said,
        whole=line.strip(),
        source=f"{place['file']}:{place['line']}" if place is not None else None,
        line=number,
    )


def messages_in(lines: Iterable[str]) -> tuple[Message, ...]:
    """The messages in a log, in order."""
    found = (_message(line, number) for number, line in enumerate(lines, start=1))
    return tuple(message for message in found if message is not None)
