"""Rules that tell what a failure is and what to do about it: data in TOML files, not code."""

from __future__ import annotations

import re
import string
from functools import cache, cached_property
from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

# What a hint may name beside the rule's own groups: see `deciding.hint_of`.
VALUES = frozenset(
    {"step", "entry", "parameters", "part", "clock", "node", "operator", "attributes", "missing", "divisors"}
)
_ROLES = ("cause", "follows", "harmless", "spoils")


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rule applies: everything that is given must hold.

    With `exception` the rule decides by the exception's type, with `message` or `log` by what a tool printed; by
    `text` alone it is only asked when nothing better says what the failure is.
    """

    exception: tuple[str, ...] = ()  # dotted names (builtins bare); a subclass counts
    raised_in: str | None = None  # end of `module.function` of the innermost frame
    message: tuple[str, ...] = ()  # ids of a tool's messages, e.g. "Place 30-640", or of a family: "Place 30-*"
    log: str | None = None  # regular expression in a line of the log, for tools whose messages have no ids
    text: str | None = None  # regular expression in the exception's text (of a message rule: in the message)
    entry: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One rule. Raises ValueError for one that never applies, a bad expression, or a hint that names the unknown."""

    id: str
    when: When
    example: str  # a text that it applies to
    category: FailureCategory | None = None  # None: only the hint is the rule's
    hint: str | None = None  # may name groups of `text` and `log`, and VALUES, in braces
    expects: tuple[str, ...] = ()  # attributes that a node needs here; {missing} are those it has not
    # "follows": such a message only follows another error; "harmless": it is no error; "spoils": no error for the
    # tool, which goes on with another design than it was given
    role: str = "cause"

    def __post_init__(self) -> None:
        when = self.when
        if not (when.exception or when.message or when.log or when.text):
            raise ValueError(f"rule {self.id}: `when` needs exception, message, log or text")
        if bool(when.message) + bool(when.log) + bool(when.exception) > 1:
            raise ValueError(f"rule {self.id}: decides by one of exception, message and log")
        if self.role not in _ROLES:
            raise ValueError(f"rule {self.id}: role {self.role!r} is none of {', '.join(_ROLES)}")
        if self.is_cause and self.category is None and self.hint is None:
            raise ValueError(f"rule {self.id}: says nothing")

    @property
    def is_cause(self) -> bool:
        """Does it say why something failed?"""
        return self.role in {"cause", "spoils"}

    def is_of(self, identity: str | None) -> bool:
        """Is it about messages of that id?"""
        return identity is not None and any(
            identity.startswith(wanted[:-1]) if wanted.endswith("*") else identity == wanted
            for wanted in self.when.message
        )

    @cached_property
    def text(self) -> re.Pattern[str] | None:
        """`when.text` compiled."""
        return re.compile(self.when.text, re.DOTALL) if self.when.text is not None else None

    @cached_property
    def log(self) -> re.Pattern[str] | None:
        """`when.log` compiled."""
        return re.compile(self.when.log) if self.when.log is not None else None

    def unknown_names(self, more: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """What the hint names that is neither a group nor a value."""
        groups = {name for pattern in (self.text, self.log) if pattern for name in pattern.groupindex}
        fields = (field for _, field, _, _ in string.Formatter().parse(self.hint or "") if field is not None)
        names = [re.split(r"[.\[]", field)[0] for field in fields]
        return tuple(name for name in names if name not in groups | VALUES | more)


class RulesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a rules file; `values` are names that the executor's entries give with `step.about`."""

    rule: tuple[Rule, ...]
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rule:
            unknown = rule.unknown_names(frozenset(self.values))
            if unknown:
                raise ValueError(f"rule {rule.id}: its hint names {unknown[0]!r}, which is no group and no value")


def load_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in order: the first that applies counts. Raises ValueError naming the file."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=RulesFile).rule
    except (msgspec.DecodeError, re.error) as error:
        raise ValueError(f"{path.name}: {error}") from error


@cache
def shared_rules() -> tuple[Rule, ...]:
    """Rules that hold for every executor: messages of tools, qonnx, onnx."""
    return tuple(
        rule for path in sorted(Path(__file__).with_name("rules").glob("*.toml")) for rule in load_rules(path)
    )
