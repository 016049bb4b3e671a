"""Characters that a terminal may obey, or that change how a line reads."""

from __future__ import annotations

import re

# Control characters (C0 but for line feeds and tabs, DEL, C1), marks of direction, separators of lines, and what is
# not seen at all. A carriage return is one of them: what follows it overwrites the line.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def escape_json(text: str) -> str:
    """JSON text with escapes for these characters. What it says stays the same."""
    if text.isascii() and "\x7f" not in text:
        return text
    return CONTROLS.sub(_escaped, text)


def escape_json_bytes(data: bytes) -> bytes:
    """As `escape_json`."""
    return data if data.isascii() and b"\x7f" not in data else escape_json(data.decode()).encode()


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
