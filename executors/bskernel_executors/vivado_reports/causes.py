"""Why a run failed, by the messages in its log and the rules that all executors share."""

from __future__ import annotations

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.classification import find_root_errors, match_log
from bskernel_executors.sdk.rules_file import shared_rules
from bskernel_executors.sdk.tool_messages import Message
from bskernel_executors.vivado_reports.log import Log

_KILLED, _BY_SIGNAL = (137, -9), 128


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
    match = match_log(rules, "", log.lines)
    if match is not None and match.line is not None:
        return Cause(text=match.line, line=match.number, category=match.rule.category, rule=match.rule.id)
    error = next(iter(find_root_errors(rules, log.messages)), None)
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
    return next((message for message in log.messages if any(rule.matches_id(message.id) for rule in spoiling)), None)


def failure_of_run(code: int, log: Log, what: str) -> StepFailure:
    """How a tool failed, by its exit code (negative, or above 128: a signal) and its log.

    What it has printed is in the step's log, by which category and hint are decided where a rule knows it.
    """
    cause = first_cause(log)
    signal = -code if code < 0 else code - _BY_SIGNAL if code > _BY_SIGNAL else None
    how = f"signal {signal}" if code < 0 else f"exit code {code}"
    message = f"{what} ended with {how}: {cause.text if cause is not None else 'see the log'}"
    if cause is not None and cause.category is not None:
        return StepFailure(message=message)
    if code in _KILLED:
        hint = "give the step more memory ([step.NAME] memory_mib)"
        return StepFailure(category="out_of_memory", message=message, hint=hint)
    # An error that no rule knows is still a synthesis that failed: what the entry declares.
    return StepFailure(category="crash" if signal is not None else None, message=message)
