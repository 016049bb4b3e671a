"""The tokens of conditions, for the grammar and for what reads plain conditions without it."""

from __future__ import annotations

SPACE = r"[ \t\r\n]"
NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# What a name means: a quantity of metrics, perhaps with its stage; or a key of a build, which may hold a hyphen, so
# that a minus between two keys needs a space.
QUANTITY = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?:@[A-Za-z_][A-Za-z0-9_]*)?"
KEY = r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
BASE = "base"  # the first part of the name of a quantity of the build that is compared with
TRUTHS = {"true": True, "false": False}  # no keys
