"""What tools say in a log: AMD's messages with their ids, and which of them is the first true error."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

# "ERROR: [Place 30-640] text", also with a prefix of a tool that runs another ("[10:21:07] ", "@E ").
_MESSAGE = re.compile(r"(?P<severity>ERROR|FATAL|CRITICAL WARNING)\s*:\s*\[(?P<id>[A-Za-z_+]+ [A-Z0-9]+-\d+)\]")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One error message or critical warning of a tool."""

    id: str
    severity: str
    line: str

    @property
    def is_error(self) -> bool:
        """Does the tool itself call it an error?"""
        return self.severity != "CRITICAL WARNING"


def messages_in(lines: Iterable[str]) -> tuple[Message, ...]:
    """The messages in a log, in order."""
    found = []
    for line in lines:
        match = _MESSAGE.search(line)
        if match:
            found.append(Message(id=match["id"], severity=match["severity"], line=line.strip()))
    return tuple(found)
