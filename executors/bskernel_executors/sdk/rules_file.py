"""Rules for failures: which category they have and what to do about them. Data in TOML files, not code."""

from __future__ import annotations

import re
import string
from functools import cache, cached_property
from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

# Placeholders that a hint may use in addition to the rule's own groups: see `classification.fill_hint`.
VALUES = frozenset(
    {"step", "entry", "parameters", "part", "clock", "node", "operator", "attributes", "missing", "divisors"}
)
_ROLES = ("cause", "follows", "harmless", "spoils")


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rule applies: every condition that is set must hold.

    With `exception` the rule matches the exception's type, with `message` or `log` what a tool printed. A rule with
    `text` alone is weaker: it sets the category only if nothing else does.
    """

    exception: tuple[str, ...] = ()  # dotted names (builtins bare); a subclass counts
    raised_in: str | None = None  # suffix of `module.function` of the innermost frame
    message: tuple[str, ...] = ()  # ids of a tool's messages, e.g. "Place 30-640", or a family: "Place 30-*"
    log: str | None = None  # regular expression for a line of the log, for tools whose messages have no ids
    text: str | None = None  # regular expression for the exception's text (with `message`: for the message)
    entry: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One rule. Raises ValueError if it can never apply, contradicts itself, or has no effect."""

    id: str
    when: When
    example: str  # a text that it applies to; a test applies it
    category: FailureCategory | None = None  # None: the rule sets only the hint
    hint: str | None = None  # may use the groups of `text` and `log`, and VALUES, as {placeholders}
    expects: tuple[str, ...] = ()  # attributes that the node needs; {missing} lists those that it lacks
    # "follows": the message is only a consequence of another error; "harmless": it is not an error; "spoils": the
    # tool does not call it an error and continues, but with a different design from the one it was given
    role: str = "cause"

    def __post_init__(self) -> None:
        when = self.when
        if not (when.exception or when.message or when.log or when.text):
            raise ValueError(f"rule {self.id}: `when` needs exception, message, log or text")
        if bool(when.message) + bool(when.log) + bool(when.exception) > 1:
            raise ValueError(f"rule {self.id}: `when` takes only one of exception, message and log")
        if self.role not in _ROLES:
            raise ValueError(f"rule {self.id}: unknown role {self.role!r}; choose from {', '.join(_ROLES)}")
        if self.is_cause and self.category is None and self.hint is None:
            raise ValueError(f"rule {self.id}: needs a category or a hint")

    @property
    def is_cause(self) -> bool:
        """Does it explain why something failed?"""
        return self.role in {"cause", "spoils"}

    def matches_id(self, identity: str | None) -> bool:
        """Does it apply to messages with this id?"""
        return identity is not None and any(
            identity.startswith(wanted[:-1]) if wanted.endswith("*") else identity == wanted
            for wanted in self.when.message
        )

    @cached_property
    def text(self) -> re.Pattern[str] | None:
        """`when.text`, compiled. Raises re.error."""
        return re.compile(self.when.text, re.DOTALL) if self.when.text is not None else None

    @cached_property
    def log(self) -> re.Pattern[str] | None:
        """`when.log`, compiled. Raises re.error."""
        return re.compile(self.when.log) if self.when.log is not None else None

    def unknown_names(self, extra: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """List the hint's placeholders that are neither a group nor in VALUES or `extra`."""
        groups = {name for pattern in (self.text, self.log) if pattern for name in pattern.groupindex}
        fields = (field for _, field, _, _ in string.Formatter().parse(self.hint or "") if field is not None)
        names = [re.split(r"[.\[]", field)[0] for field in fields]
        return tuple(name for name in names if name not in groups | VALUES | extra)


class RulesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a rules file; `values` are the placeholders that entries fill with `Step.set_hint_values`."""

    rule: tuple[Rule, ...]
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rule:
            unknown = rule.unknown_names(frozenset(self.values))
            if unknown:
                raise ValueError(f"rule {rule.id}: its hint uses {unknown[0]!r}, neither a group nor in `values`")


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Load the rules of a file, in order of precedence. Raises ValueError with the file's name."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=RulesFile).rule
    except (msgspec.DecodeError, re.error) as error:
        raise ValueError(f"{path.name}: {error}") from error


@cache
def shared_rules() -> tuple[Rule, ...]:
    """Load the rules that apply to every executor: for tools, qonnx and onnx."""
    return tuple(
        rule for path in sorted(Path(__file__).with_name("rules").glob("*.toml")) for rule in load_rules(path)
    )
