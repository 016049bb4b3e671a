"""Which kind of RAM a memory asks for, in the words of Yosys's memory_libmap. Pure.

FINN writes the attribute as RAM_STYLE, of which Vivado does not mind the case. Yosys knows ram_style alone, and stops
at a kind that the memory cannot have, where Vivado chooses another one with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ATTRIBUTE = "ram_style"
_KINDS = frozenset({"distributed", "block", "ultra"})


class MemoryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What limits the kind of RAM that a memory can have.

    `has_contents`: a word is initially neither zero nor unknown. `is_clocked`: every read port has a register.
    """

    is_written: bool
    has_contents: bool
    is_clocked: bool


def choose_kind(attributes: Mapping[str, str], memory: MemoryFacts, *, has_ultra: bool) -> str | None:
    """The value of ram_style that Yosys shall see, or None where it may choose.

    Constants in LUTs are "logic" to Yosys: its distributed RAM is for what is written. UltraRAM of UltraScale+ has no
    initial contents (UG573), so a memory with contents never goes there.
    """
    asked = next((value.lower() for name, value in attributes.items() if name.lower() == ATTRIBUTE), None)
    if asked not in _KINDS:
        return None
    if asked == "distributed":
        return asked if memory.is_written else "logic"
    if not memory.is_clocked or (asked == "ultra" and (memory.has_contents or not has_ultra)):
        return None
    return asked
