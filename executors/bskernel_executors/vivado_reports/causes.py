"""Why a run failed, according to the messages in its log and the rules that all executors share."""

from __future__ import annotations

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.classification import find_root_errors, match_log
from bskernel_executors.sdk.rules_file import shared_rules
from bskernel_executors.sdk.tool_messages import Message
from bskernel_executors.vivado_reports.log import ToolLog

_KILLED, _BY_SIGNAL = (137, -9), 128


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The first real error of a failed run. It has no category when no rule knows it."""

    text: str
    line: int
    category: FailureCategory | None = None
    rule: str | None = None
    id: str | None = None


def find_cause(log: ToolLog) -> Cause | None:
    """Find the first error that no other error causes, or the line that reports a crash; None if there is neither.

    Meaningless for a run that succeeded: some errors do not stop a run.
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


def find_wrong_design(log: ToolLog) -> Message | None:
    """Find the first message that the tool built another design than it was given; None if there is none."""
    spoiling = [rule for rule in shared_rules() if rule.role == "spoils"]
    return next((message for message in log.messages if any(rule.matches_id(message.id) for rule in spoiling)), None)


def describe_failure(code: int, log: ToolLog, what: str) -> StepFailure:
    """Make the failure of a tool from its exit code (a signal if negative or above 128) and its log.

    If a rule knows the error, category and hint are decided later, from the step's log, which holds the same lines.
    """
    cause = find_cause(log)
    signal = -code if code < 0 else code - _BY_SIGNAL if code > _BY_SIGNAL else None
    how = f"signal {signal}" if code < 0 else f"exit code {code}"
    message = f"{what} ended with {how}: {cause.text if cause is not None else 'see the log'}"
    if cause is not None and cause.category is not None:
        return StepFailure(message=message)
    if code in _KILLED:
        hint = "give the step more memory ([step.NAME] memory_mib)"
        return StepFailure(category="out_of_memory", message=message, hint=hint)
    # Without a category, an error that no rule knows is a failure of the kind that the entry declares.
    return StepFailure(category="crash" if signal is not None else None, message=message)
