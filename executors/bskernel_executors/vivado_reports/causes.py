"""Why a run failed, by the messages in its log and the table messages.toml."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.vivado_reports.log import Log, Message


class MessageRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What messages of these ids mean."""

    ids: tuple[str, ...]
    category: FailureCategory
    hint: str


class LineRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line means that is no message of Vivado's, such as a crash; `pattern` is searched for."""

    pattern: str
    category: FailureCategory
    hint: str


class Passing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages that are errors by their severity and yet no cause."""

    ids: tuple[str, ...]
    reason: str


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table."""

    message: tuple[MessageRule, ...]
    line: tuple[LineRule, ...]
    passing: tuple[Passing, ...]
    timing_missed: tuple[str, ...]  # the design is finished and does not run at its clock: the run ends well
    wrong_design: tuple[str, ...]  # the run ends well with another design than was given

    def of(self, identity: str | None) -> MessageRule | None:
        """The rule for a message's id; `Synth 8-*` and `DRC *` are for families, the exact one wins."""
        families = (f"{identity.rpartition('-')[0]}-*", f"{identity.partition(' ')[0]} *") if identity else ()
        for wanted in (identity, *families):
            for rule in self.message:
                if wanted in rule.ids:
                    return rule
        return None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The first true cause of a failed run; `ids` are those of all messages that are errors, in order."""

    category: FailureCategory
    text: str
    line: int
    hint: str | None = None
    id: str | None = None
    ids: tuple[str, ...] = ()


@cache
def rules() -> Rules:
    """The table, read once."""
    text = (resources.files(__package__) / "messages.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Rules)


def _shown(message: Message) -> str:
    where = f" [{message.source}]" if message.source else ""
    return f"{message.severity}: {f'[{message.id}] ' if message.id else ''}{message.text}{where}"


def first_cause(log: Log) -> Cause | None:
    """The first error that no other one causes, or the first line that tells of a crash; None when there is neither.

    Of a run that ended well it means nothing: some errors do not stop one.
    """
    table = rules()
    passing = {identity for item in table.passing for identity in item.ids}
    errors = [message for message in log.messages if message.severity in {"ERROR", "FATAL"}]
    ids = tuple(dict.fromkeys(message.id for message in errors if message.id))
    found: list[Cause] = []
    for message in errors:
        if message.id not in passing:
            rule = table.of(message.id)
            found.append(
                Cause(
                    category=rule.category if rule is not None else "unknown",
                    hint=rule.hint if rule is not None else None,
                    text=_shown(message),
                    line=message.line,
                    id=message.id,
                    ids=ids,
                )
            )
            break
    at = {message.line for message in log.messages if message.severity in {"INFO", "STATUS", "WARNING"}}
    for number, line in enumerate(log.lines, start=1):
        matching = next((rule for rule in table.line if number not in at and re.search(rule.pattern, line)), None)
        if matching is not None:
            found.append(
                Cause(category=matching.category, hint=matching.hint, text=line.strip(), line=number, ids=ids)
            )
            break
    # On one line both speak of the same: the rule for the line knows more than a message without a rule.
    return min(found, key=lambda cause: (cause.line, cause.category == "unknown"), default=None)


def wrong_design(log: Log) -> Message | None:
    """The first message that tells that the design is not the one that was given; None when there is none."""
    return next((message for message in log.messages if message.id in rules().wrong_design), None)


def timing_is_missed(log: Log) -> bool:
    """Does the log say that the routed design does not run at the clock that was asked for?"""
    return any(message.id in rules().timing_missed for message in log.messages)
