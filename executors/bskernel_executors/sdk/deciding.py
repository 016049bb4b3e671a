"""What a failure is, decided from facts by rules. Pure.

In this order: the exception's type, the ids of tools' messages and their lines in the log, what the entry declares,
and texts last. What the runtime alone knows (time, signals, memory of the whole step) goes before: see the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from bskernel_protocol import Failure, FailureCategory

from bskernel_executors.sdk.culprit import Culprit
from bskernel_executors.sdk.rules_file import Rule
from bskernel_executors.sdk.tool_messages import Message, messages_in

_SHOWN = 8
_PERIODS = ("clock_ns", "synth_clk_period_ns")
_WEAK = frozenset({"entry", "text"})  # deciders that a tool's message overrules


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a chain: dotted names of its type and bases, text, where it was raised."""

    names: tuple[str, ...]
    text: str
    raised_in: str = ""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that applies, what its groups are, and the line of the log if it was one."""

    rule: Rule
    groups: Mapping[str, str] = {}
    message: Message | None = None
    line: str | None = None
    number: int = 0  # the line's


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The step that failed: what hints may name, beside a rule's groups."""

    step: str
    entry: str = ""
    parameters: Mapping[str, Any] = {}
    values: Mapping[str, str] = {}
    declared: FailureCategory = "unknown"


class _Parameters(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "not set"


class _Names(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "(see the log)"  # a value that the entry did not come to give


def _groups(match: re.Match[str] | None) -> dict[str, str]:
    return {name: " ".join((value or "").split()) for name, value in (match.groupdict() if match else {}).items()}


def _applies(rule: Rule, raised: Raised, entry: str) -> Match | None:
    when = rule.when
    if when.entry and entry not in when.entry:
        return None
    if when.exception and not set(when.exception) & set(raised.names):
        return None
    if when.raised_in is not None and not raised.raised_in.endswith(when.raised_in):
        return None
    found = rule.text.search(raised.text) if rule.text else None
    return None if rule.text and found is None else Match(rule=rule, groups=_groups(found))


def by_exception(rules: Iterable[Rule], entry: str, chain: Sequence[Raised]) -> Match | None:
    """The first rule whose exception occurs in the chain (first cause first)."""
    rules = [rule for rule in rules if rule.when.exception]
    return next((match for raised in chain for rule in rules if (match := _applies(rule, raised, entry))), None)


def by_text(rules: Iterable[Rule], entry: str, chain: Sequence[Raised]) -> Match | None:
    """The first rule whose text occurs in the chain."""
    rules = [rule for rule in rules if not (rule.when.exception or rule.when.message or rule.when.log)]
    return next((match for raised in chain for rule in rules if (match := _applies(rule, raised, entry))), None)


def true_errors(rules: Iterable[Rule], messages: Iterable[Message]) -> tuple[Message, ...]:
    """The errors that do not only follow another one, and are errors indeed; the first is the root cause."""
    no_cause = [rule for rule in rules if not rule.is_cause]
    return tuple(
        message for message in messages if message.is_error and not any(rule.is_of(message.id) for rule in no_cause)
    )


def by_log(rules: Iterable[Rule], entry: str, lines: Sequence[str]) -> Match | None:
    """The rule for the first true error in the log, or for a line before it that is no message.

    Where no rule knows the error, one for a line after it may; critical warnings count when there is no error.
    """
    rules = [rule for rule in rules if not rule.when.entry or entry in rule.when.entry]
    causes = [rule for rule in rules if rule.is_cause]
    messages = messages_in(lines)
    errors = true_errors(rules, [message for message in messages if message.id is not None])
    said = _by_message(causes, errors[:1])
    harmless = {message.line for message in messages if not message.is_bad}
    seen = _by_line(causes, [(number, line) for number, line in enumerate(lines, start=1) if number not in harmless])
    if seen is not None and (said is None or said.message is None or seen.number < said.message.line):
        return seen
    if said is not None or errors:
        return said
    return _by_message(causes, [message for message in messages if message.is_bad])


def _by_message(rules: Sequence[Rule], messages: Iterable[Message]) -> Match | None:
    for message in messages:
        for rule in rules:
            found = rule.text.search(message.whole) if rule.text else None
            if rule.is_of(message.id) and (found or not rule.text):
                return Match(rule=rule, groups=_groups(found), message=message)
    return None


def _by_line(rules: Sequence[Rule], lines: Iterable[tuple[int, str]]) -> Match | None:
    rules = [rule for rule in rules if rule.log]
    for number, line in lines:
        for rule in rules:
            if rule.log and (seen := rule.log.search(line)):
                return Match(rule=rule, groups=_groups(seen), line=line.strip(), number=number)
    return None


def _first(parameters: Mapping[str, Any], *names: str) -> Any:
    return next((parameters[name] for name in names if parameters.get(name) is not None), None)


def _divisors(groups: Mapping[str, str]) -> str:
    size = groups.get("of", "")
    numbers = range(1, int(size) + 1) if size.isdigit() and len(size) < 6 else range(0)
    return ", ".join(str(number) for number in numbers if int(size) % number == 0)


def hint_of(match: Match, about: About, culprit: Culprit | None) -> str | None:
    """The rule's hint with the names filled in."""
    attributes = culprit.attributes if culprit is not None else {}
    names = _Names(
        {
            "step": about.step,
            "entry": about.entry,
            "parameters": _Parameters(about.parameters),
            "part": _first(about.parameters, "part", "fpga_part", "board") or "the device",
            "clock": f"{period} ns" if (period := _first(about.parameters, *_PERIODS)) else "what was asked for",
            "node": culprit.name if culprit is not None else "a node",
            "operator": culprit.operator if culprit is not None else "operator",
            "attributes": ", ".join(f"{name} = {value}" for name, value in attributes.items()) or "none",
            "missing": " and ".join(name for name in match.rule.expects if name not in attributes) or "an attribute",
            "divisors": _divisors(match.groups),
            **about.values,
            **match.groups,
        }
    )
    return match.rule.hint.format_map(names) if match.rule.hint is not None else None


def decide(
    failure: Failure, about: About, chain: Sequence[Raised], rules: Sequence[Rule], culprit: Culprit | None
) -> Failure:
    """The failure of an exception that does not say its own category, decided without the log."""
    typed = by_exception(rules, about.entry, chain)
    match = typed or by_text(rules, about.entry, chain)
    category, decided = about.declared, "entry"
    if typed is not None and typed.rule.category is not None:
        category, decided = typed.rule.category, "exception"
    elif match is not None and match.rule.category is not None and about.declared == "unknown":
        category, decided = match.rule.category, "text"
    facts = {**failure.facts, "decided_by": decided}
    if match is not None:
        facts["rule"] = match.rule.id
    if culprit is not None:
        facts |= {"node": culprit.name, "operator": culprit.operator}
    hint = failure.hint or (hint_of(match, about, culprit) if match is not None else None)
    return msgspec.structs.replace(failure, category=category, hint=hint, facts=facts)


def _is_told(line: str) -> bool:
    """Is it a tool's message with an id, which the log holds too?"""
    return any(message.id is not None for message in messages_in([line]))


def refine(failure: Failure, about: About, lines: Sequence[str], rules: Sequence[Rule]) -> Failure:
    """The failure once its whole log is known: ids of tools' messages, the first true error, what it is."""
    messages = [message for message in messages_in(lines) if message.is_bad and message.id is not None]
    errors = true_errors(rules, messages)
    facts = dict(failure.facts)
    cause = failure.cause
    if messages:
        facts["message_ids"] = list(dict.fromkeys(message.id for message in messages))
        cause = (*(message.whole for message in errors[:_SHOWN]), *(line for line in cause if not _is_told(line)))
    match = by_log(rules, about.entry, lines) if failure.facts.get("decided_by") in _WEAK else None
    if match is None:
        return msgspec.structs.replace(failure, facts=facts, cause=cause)
    line = match.message.whole if match.message is not None else match.line
    if line is not None and line not in cause:
        cause = (line, *cause)
    facts["rule"] = match.rule.id
    category = failure.category
    if match.rule.category is not None:
        category, facts["decided_by"] = match.rule.category, "message"
    hint = hint_of(match, about, None) or failure.hint
    return msgspec.structs.replace(failure, category=category, hint=hint, cause=cause, facts=facts)
