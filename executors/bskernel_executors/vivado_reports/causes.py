"""Why a run failed, by the messages in its log and the rules that all executors share."""

from __future__ import annotations

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.sdk.deciding import by_log, true_errors
from bskernel_executors.sdk.rules_file import shared_rules
from bskernel_executors.sdk.tool_messages import Message
from bskernel_executors.vivado_reports.log import Log


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The first true cause of a failed run; without a category where no rule knows it."""

    text: str
    line: int
    category: FailureCategory | None = None
    rule: str | None = None
    id: str | None = None


def first_cause(log: Log) -> Cause | None:
    """The first error that no other one causes, or the line that tells of a crash; None when there is neither.

    Of a run that ended well it means nothing: some errors do not stop one.
    """
    rules = shared_rules()
    match = by_log(rules, "", log.lines)
    if match is not None and match.line is not None:
        return Cause(text=match.line, line=match.number, category=match.rule.category, rule=match.rule.id)
    error = next(iter(true_errors(rules, log.messages)), None)
    if error is None:
        return None
    rule = match.rule if match is not None else None
    return Cause(
        text=error.whole,
        line=error.line,
        category=rule.category if rule is not None else None,
        rule=rule.id if rule is not None else None,
        id=error.id,
    )


def wrong_design(log: Log) -> Message | None:
    """The first message that tells that the design is not the one that was given; None when there is none."""
    spoiling = [rule for rule in shared_rules() if rule.role == "spoils"]
    return next((message for message in log.messages if any(rule.is_of(message.id) for rule in spoiling)), None)
