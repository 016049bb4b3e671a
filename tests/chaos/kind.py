"""A kind of mishap, one trial of it, and what a trial found."""

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from chaos.site import Site

T = TypeVar("T")
_REPLAY = re.compile(r"([\w/-]+):(-?\d+):(\d+)")


# How a promise was broken: something was left behind; a build said ok and made something else; it did not end; a
# traceback was shown, or an exception came that nobody declared; something got out of a step's folder, or to a
# terminal; an end that does not say why.
Breach = Literal["left over", "wrong", "hang", "traceback", "escape", "unclear", "other"]


class Violation(Exception):  # noqa: N818 - a finding, no defect of the campaign
    """A broken promise, in words; raised, it ends the trial."""

    def __init__(self, message: str, breach: Breach = "other") -> None:
        super().__init__(message)
        self.breach = breach


class Unable(Exception):  # noqa: N818 - nothing is wrong
    """This machine cannot try the kind: the reason."""


class Trial:
    """One try. Everything random in it comes from `rng`, so kind, seed and number repeat it."""

    def __init__(self, kind: str, seed: int, number: int, folder: Path, site: Site) -> None:
        self.kind = kind
        self.seed = seed
        self.number = number
        self.folder = folder  # its own, empty, removed afterwards
        self.site = site
        self.rng = random.Random(f"{kind}:{seed}:{number}")
        self.item = ""  # what of the kind was tried, in a few words
        self.count = 1  # how many cases it tried
        self.noted: list[tuple[str, Violation]] = []  # what was tried, and what it broke without ending the trial

    @property
    def replay(self) -> str:
        """The name by which `--replay` repeats it."""
        return f"{self.kind}:{self.seed}:{self.number}"

    def deal(self, items: Sequence[T]) -> T:
        """This trial's item: as many trials as there are items try each once, in an order of the seed's."""
        order = list(range(len(items)))
        random.Random(f"{self.kind}:{self.seed}:order").shuffle(order)
        return items[order[self.number % len(items)]]

    def require(self, holds: object, broken: str, breach: Breach = "other") -> None:
        """Raise Violation with these words unless the promise holds."""
        if not holds:
            raise Violation(broken, breach)

    def note(self, violation: Violation | None) -> None:
        """Note a broken promise, if it is one, and go on: for trials of many cases."""
        if violation is not None:
            self.noted.append((self.item, violation))


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of mishap: its name CAMPAIGN/NAME, what bskernel promises, and a function that tries it once."""

    name: str
    promise: str
    attempt: Callable[[Trial], None]
    tries: int  # in the part that CI runs
    volume: int = 0  # tries that the project's figures need; see figures.py
    limit_s: float = 240.0  # a trial that takes longer is stuck
    container: bool = False  # needs a Docker engine


def parse_replay(text: str) -> tuple[str, int, int]:
    """Kind, seed and number of a `replay` name. Raises ValueError."""
    found = _REPLAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text}: not KIND:SEED:NUMBER")
    return found[1], int(found[2]), int(found[3])
