"""Parse AMD tools' messages in a log: severity, id and text, also where another tool forwards them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias, cast

import msgspec

Severity: TypeAlias = Literal["INFO", "STATUS", "WARNING", "CRITICAL WARNING", "ERROR", "FATAL"]
_SEVERITY = r"(?P<severity>CRITICAL WARNING|INFO|STATUS|WARNING|ERROR|FATAL)\s*:\s*"
# Ids look like [DRC UTLZ-1], [HLS 200-101] (Vitis HLS) or [v++ 60-602] (the linker).
_ID = r"\[(?P<id>[A-Za-z_][\w+]*(?: \w+)?-\d+)\]"
_TEXT = r"\s?(?P<text>.*)$"
_OWN = re.compile(rf"^{_SEVERITY}(?:{_ID})?{_TEXT}")
# "[10:21:07] ERROR: [Place 30-640] text": without an id it might be an ordinary sentence.
_FORWARDED = re.compile(rf"(?<!\w){_SEVERITY}{_ID}{_TEXT}")
_SOURCE = re.compile(r"\s*\[(?P<file>[^\[\]]+):(?P<line>\d+)\]\s*$")


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message. `line` is its line number in the log, from 1; `source` is the FILE:LINE that it points to."""

    severity: Severity
    text: str
    whole: str  # the complete line, stripped
    line: int
    id: str | None = None
    source: str | None = None

    @property
    def is_error(self) -> bool:
        """Does the tool call it an error?"""
        return self.severity in {"ERROR", "FATAL"}

    @property
    def is_bad(self) -> bool:
        """Is it an error or a critical warning?"""
        return self.is_error or self.severity == "CRITICAL WARNING"


def _message(line: str, number: int) -> Message | None:
    match = _OWN.match(line) or _FORWARDED.search(line)
    if match is None:
        return None
    text = match["text"].rstrip()
    source = _SOURCE.search(text)
    return Message(
        severity=cast("Severity", match["severity"]),
        id=match["id"],
        text=text[: source.start()] if source is not None else text,
        whole=line.strip(),
        source=f"{source['file']}:{source['line']}" if source is not None else None,
        line=number,
    )


def parse_messages(lines: Iterable[str]) -> tuple[Message, ...]:
    """Return the messages in a log, in order."""
    found = (_message(line, number) for number, line in enumerate(lines, start=1))
    return tuple(message for message in found if message is not None)
