"""Points that were built in rounds, and how that ended. Pure."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

RepetitionEnd: TypeAlias = Literal["met", "rounds", "unchanged", "failed", "unjudged", "interrupted"]


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """A point and its rounds, by the names of their points, and how it ended.

    met: the condition holds in the last round; rounds: not after as many as are allowed; unchanged: the last round
    found out nothing new; failed: it did not end well, or has not the result; unjudged: its numbers are missing;
    interrupted: by the user.
    """

    loop: str
    until: str
    settings: dict[str, Any]
    points: tuple[str, ...]
    ended: RepetitionEnd
    reason: str  # the numbers that decided
