"""Boards in groups, as a user looks for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Boards whose parts begin alike."""

    name: str
    begins: tuple[str, ...]


class Families(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All families; those of boards that an executor knows are shown."""

    default: str  # the board that is proposed
    family: tuple[Family, ...]


def group_boards(boards: Mapping[str, str], families: Families) -> dict[str, tuple[str, ...]]:
    """Family -> its boards by name, of boards with their parts. What fits no family is in "other"."""
    groups: dict[str, list[str]] = {family.name: [] for family in families.family}
    for board, part in sorted(boards.items()):
        family = next((family.name for family in families.family if part.startswith(family.begins)), "other")
        groups.setdefault(family, []).append(board)
    return {name: tuple(found) for name, found in groups.items() if found}


def default_board(boards: Mapping[str, str], families: Families) -> str | None:
    """The board to propose; None if the executor knows no boards."""
    return families.default if families.default in boards else next(iter(sorted(boards)), None)
