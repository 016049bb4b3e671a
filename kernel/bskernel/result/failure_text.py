"""The failure of a build as text."""

from __future__ import annotations

import itertools

from bskernel_protocol import Failure

from bskernel.result.build_result import BuildResult


def describe_failure(failure: Failure) -> str:
    """A failure as text: message, first cause, hint, path of the log."""
    lines = [f"{failure.category}: {failure.message}"]
    lines += [f"    {line}" for line in failure.cause]
    if failure.hint:
        lines.append(f"  -> {failure.hint}")
    if failure.log:
        lines.append(f"  log: {failure.log}")
    return "\n".join(lines)


def describe_failed(result: BuildResult) -> str:
    """The failure of a build as text: step, category, cause, hint, what was kept, commands to try."""
    if result.failure is None:
        return ""
    what = "did not finish" if result.status == "interrupted" else "failed"
    lines = [f"step {result.failed_step} {what}, {describe_failure(result.failure)}"]
    before = itertools.takewhile(lambda step: step.name != result.failed_step, result.steps)
    done = [step.name for step in before if step.status in {"ran", "recalled"}]
    if done:
        lines.append(f"  kept: the outputs of {len(done)} finished steps, up to {done[-1]}")
    for step, reasons in result.partial.items():
        lines += [f"  partial: {step}: {reason}" for reason in reasons]
    lines += [f"  try: {command}" for command in result.commands]
    return "\n".join(lines)
