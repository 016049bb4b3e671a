"""Values as TOML. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(to_toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{to_toml_key(str(key))} = {to_toml(item)}" for key, item in value.items()) + " }"
    return repr(value)


def to_toml_key(key: str) -> str:
    """A key as TOML: in quotes where it needs them."""
    return key if _BARE.fullmatch(key) else to_toml(key)
