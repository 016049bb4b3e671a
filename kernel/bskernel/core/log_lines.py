"""The log of a step as lines of JSON, whatever the step has made of the file. Pure."""

from __future__ import annotations

import re

import msgspec
from bskernel_protocol import LogLine
from bskernel_protocol.controls import escape_json_bytes

_decoder = msgspec.json.Decoder(LogLine)
_END = 1 << 20  # bytes of a log that hold more than its last lines
_LONGEST = 4096  # characters of a line
_SUSPECT = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]")


def tidy_log(data: bytes) -> bytes:
    """The log with a LogLine in every line: what is none becomes the text of one. A terminal obeys nothing in it."""
    if not data:
        return data
    lines = data.removesuffix(b"\n").split(b"\n")
    return escape_json_bytes(b"".join(_tidy(line) + b"\n" for line in lines))


def tidy_known_log(data: bytes) -> bytes:
    """As `tidy_log`, for a log that most likely is tidy: it is only looked at for suspect bytes."""
    return tidy_log(data) if _SUSPECT.search(data) else data


def _tidy(line: bytes) -> bytes:
    try:
        if b"\r" not in line and b"\t" not in line:
            _decoder.decode(line)
            return line
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return msgspec.json.encode(LogLine(seconds=0.0, stream="stdout", text=line.decode("utf-8", "replace")))


def last_lines(log: bytes) -> tuple[str, ...]:
    """The texts of the last eight lines of a tidy log, cut where they are long."""
    lines = log[-_END:].splitlines()[-8:]
    texts = []
    for line in lines:
        try:
            texts.append(_decoder.decode(line).text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            texts.append(line.decode("utf-8", "replace"))
    return tuple(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... (cut)" for text in texts)
