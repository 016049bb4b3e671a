"""Classify a failure by rules: its category, and a hint for the user. Pure.

The evidence, strongest first: the exception's type, ids of tools' messages and lines in the log, the category that
the entry declares, and texts last. What only the runtime knows (timeouts, signals, memory of the whole step) takes
precedence over all of these; the kernel decides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from bskernel_protocol import Failure, FailureCategory

from bskernel_executors.sdk.fault_location import FaultyNode
from bskernel_executors.sdk.rules_file import Rule
from bskernel_executors.sdk.tool_messages import Message, parse_messages

_SHOWN = 8  # error lines that a failure shows
_PERIODS = ("clock_ns", "synth_clk_period_ns")
_WEAK = frozenset({"entry", "text"})  # values of `decided_by` that a tool's message overrules


class RaisedException(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a chain: dotted names of its type and base types, its text, and where it was raised."""

    names: tuple[str, ...]
    text: str
    raised_in: str = ""


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that applies, the values of its groups, and the message or line of the log that it matched."""

    rule: Rule
    groups: Mapping[str, str] = {}
    message: Message | None = None
    line: str | None = None
    number: int = 0  # of `line` in the log, from 1


class FailureContext(msgspec.Struct, frozen=True, kw_only=True):
    """The step that failed, and the values that hints may name in addition to a rule's groups."""

    step: str
    entry: str = ""
    parameters: Mapping[str, Any] = {}
    hint_values: Mapping[str, str] = {}
    default_category: FailureCategory = "unknown"


class _Parameters(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "not set"


class _Names(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "(see the log)"  # a hint value that the entry had not set yet


def _groups(match: re.Match[str] | None) -> dict[str, str]:
    return {name: " ".join((value or "").split()) for name, value in (match.groupdict() if match else {}).items()}


def _match(rule: Rule, raised: RaisedException, entry: str) -> RuleMatch | None:
    when = rule.when
    if when.entry and entry not in when.entry:
        return None
    if when.exception and not set(when.exception) & set(raised.names):
        return None
    if when.raised_in is not None and not raised.raised_in.endswith(when.raised_in):
        return None
    found = rule.text.search(raised.text) if rule.text else None
    return None if rule.text and found is None else RuleMatch(rule=rule, groups=_groups(found))


def match_exception(rules: Iterable[Rule], entry: str, chain: Sequence[RaisedException]) -> RuleMatch | None:
    """Return the first rule whose exception type occurs in the chain (root cause first)."""
    rules = [rule for rule in rules if rule.when.exception]
    return next((match for raised in chain for rule in rules if (match := _match(rule, raised, entry))), None)


def match_text(rules: Iterable[Rule], entry: str, chain: Sequence[RaisedException]) -> RuleMatch | None:
    """Return the first rule whose text occurs in the chain (root cause first)."""
    rules = [rule for rule in rules if not (rule.when.exception or rule.when.message or rule.when.log)]
    return next((match for raised in chain for rule in rules if (match := _match(rule, raised, entry))), None)


def find_root_errors(rules: Iterable[Rule], messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return the error messages that are neither harmless nor consequences of others; the first is the root cause."""
    no_cause = [rule for rule in rules if not rule.is_cause]
    return tuple(
        message
        for message in messages
        if message.is_error and not any(rule.matches_id(message.id) for rule in no_cause)
    )


def match_log(rules: Iterable[Rule], entry: str, lines: Sequence[str]) -> RuleMatch | None:
    """Return the rule for the first root error in the log, or for an earlier line that is not a message.

    If no rule knows that error, a rule for a later line applies. Critical warnings count only if there is no error.
    """
    rules = [rule for rule in rules if not rule.when.entry or entry in rule.when.entry]
    causes = [rule for rule in rules if rule.is_cause]
    messages = parse_messages(lines)
    errors = find_root_errors(rules, [message for message in messages if message.id is not None])
    by_message = _match_messages(causes, errors[:1])
    harmless = {message.line for message in messages if not message.is_bad}
    candidates = [(number, line) for number, line in enumerate(lines, start=1) if number not in harmless]
    by_line = _match_lines(causes, candidates)
    if by_line is not None and (
        by_message is None or by_message.message is None or by_line.number < by_message.message.line
    ):
        return by_line
    if by_message is not None or errors:
        return by_message
    return _match_messages(causes, [message for message in messages if message.is_bad])


def _match_messages(rules: Sequence[Rule], messages: Iterable[Message]) -> RuleMatch | None:
    for message in messages:
        for rule in rules:
            found = rule.text.search(message.whole) if rule.text else None
            if rule.matches_id(message.id) and (found or not rule.text):
                return RuleMatch(rule=rule, groups=_groups(found), message=message)
    return None


def _match_lines(rules: Sequence[Rule], lines: Iterable[tuple[int, str]]) -> RuleMatch | None:
    rules = [rule for rule in rules if rule.log]
    for number, line in lines:
        for rule in rules:
            if rule.log and (found := rule.log.search(line)):
                return RuleMatch(rule=rule, groups=_groups(found), line=line.strip(), number=number)
    return None


def _first(parameters: Mapping[str, Any], *names: str) -> Any:
    return next((parameters[name] for name in names if parameters.get(name) is not None), None)


def _divisors(groups: Mapping[str, str]) -> str:
    size = groups.get("of", "")
    numbers = range(1, int(size) + 1) if size.isdigit() and len(size) < 6 else range(0)
    return ", ".join(str(number) for number in numbers if int(size) % number == 0)


def fill_hint(match: RuleMatch, context: FailureContext, fault: FaultyNode | None) -> str | None:
    """Return the rule's hint with its placeholders filled in, or None if the rule has no hint."""
    attributes = fault.attributes if fault is not None else {}
    names = _Names(
        {
            "step": context.step,
            "entry": context.entry,
            "parameters": _Parameters(context.parameters),
            "part": _first(context.parameters, "part", "fpga_part", "board") or "the device",
            "clock": f"{period} ns" if (period := _first(context.parameters, *_PERIODS)) else "the requested value",
            "node": fault.name if fault is not None else "that the log names",
            "operator": fault.operator if fault is not None else "the node",
            "attributes": ", ".join(f"{name} = {value}" for name, value in attributes.items()) or "none",
            "missing": " and ".join(name for name in match.rule.expects if name not in attributes)
            or " or ".join(match.rule.expects),
            "divisors": _divisors(match.groups),
            **context.hint_values,
            **match.groups,
        }
    )
    return match.rule.hint.format_map(names) if match.rule.hint is not None else None


def classify(
    failure: Failure,
    context: FailureContext,
    chain: Sequence[RaisedException],
    rules: Sequence[Rule],
    fault: FaultyNode | None,
) -> Failure:
    """Set category and hint of an exception's failure, without the log, unless the entry gave it a category."""
    typed = match_exception(rules, context.entry, chain)
    match = typed or match_text(rules, context.entry, chain)
    category, decided_by = context.default_category, "entry"
    if typed is not None and typed.rule.category is not None:
        category, decided_by = typed.rule.category, "exception"
    elif match is not None and match.rule.category is not None and context.default_category == "unknown":
        category, decided_by = match.rule.category, "text"
    facts = {**failure.facts, "decided_by": decided_by}
    if match is not None:
        facts["rule"] = match.rule.id
    if fault is not None:
        facts |= {"node": fault.name, "operator": fault.operator}
    hint = failure.hint or (fill_hint(match, context, fault) if match is not None else None)
    return msgspec.structs.replace(failure, category=category, hint=hint, facts=facts)


def _is_tool_message(line: str) -> bool:
    """Is it a tool's message with an id, which is in the log too?"""
    return any(message.id is not None for message in parse_messages([line]))


def refine(failure: Failure, context: FailureContext, lines: Sequence[str], rules: Sequence[Rule]) -> Failure:
    """Refine a classified failure with the step's complete log: message ids, root errors, and the rule for them."""
    messages = [message for message in parse_messages(lines) if message.is_bad and message.id is not None]
    errors = find_root_errors(rules, messages)
    facts = dict(failure.facts)
    cause = failure.cause
    if messages:
        facts["message_ids"] = list(dict.fromkeys(message.id for message in messages))
        own = (line for line in cause if not _is_tool_message(line))
        cause = (*(message.whole for message in errors[:_SHOWN]), *own)
    match = match_log(rules, context.entry, lines) if str(failure.facts.get("decided_by")) in _WEAK else None
    if match is None:
        return msgspec.structs.replace(failure, facts=facts, cause=cause)
    line = match.message.whole if match.message is not None else match.line
    if line is not None and line not in cause:
        cause = (line, *cause)
    facts["rule"] = match.rule.id
    category = failure.category
    if match.rule.category is not None:
        category, facts["decided_by"] = match.rule.category, "message"
    hint = fill_hint(match, context, None) or failure.hint
    return msgspec.structs.replace(failure, category=category, hint=hint, cause=cause, facts=facts)
