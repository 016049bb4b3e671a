"""An explanation as text."""

from __future__ import annotations

from bskernel_protocol import pretty_json

from bskernel.result.build_result import BuildResult
from bskernel.result.explanation import Explanation


def _value(value: object) -> str:
    return " ".join(pretty_json(value).split())


def describe_explanation(told: Explanation) -> str:
    """What a step was and what became of it."""
    memory = f", at most {told.peak_mib} MiB" if told.peak_mib is not None else ""
    lines = [f"step {told.step}: {told.status}, {told.seconds:.2f} s{memory}", f"  {told.executor} : {told.entry}"]
    if told.because is not None:
        lines.append(f"  because {told.because}")
    lines += [f"  partial: {reason}" for reason in told.partial]
    if told.failure is not None:
        lines += _failure(told)
    for title, values in (("parameters", told.parameters), ("limits", told.limits)):
        lines += (
            [f"  {title}:", *(f"    {name} = {_value(values[name])}" for name in sorted(values))] if values else []
        )
    for title, artifacts in (("inputs", told.inputs), ("outputs", told.outputs)):
        if artifacts:
            lines.append(f"  {title}:")
            lines += [
                f"    {item.name} ({item.kind}) {item.digest.sha256[:16]} {item.digest.size} B" for item in artifacts
            ]
    lines += [f"  key: {told.key}"] if told.key is not None else []
    lines += [f"  log: {told.log}"] if told.log is not None else []
    lines += [f"  try: {command}" for command in told.commands]
    return "\n".join(lines)


def _failure(told: Explanation) -> list[str]:
    failure = told.failure
    if failure is None:
        return []
    lines = [f"  {failure.category}: {failure.message}"]
    lines += [f"      {line}" for line in failure.cause]
    lines += [f"  -> {failure.hint}"] if failure.hint else []
    if failure.facts:
        lines += [
            "  decided from:",
            *(f"    {name} = {_value(failure.facts[name])}" for name in sorted(failure.facts)),
        ]
    if told.excerpt:
        lines += ["  the log there:", *(f"    | {line}" for line in told.excerpt)]
    return lines


def describe_steps(result: BuildResult) -> str:
    """The steps of a build that failed nowhere: a line for each."""
    rows = [f"{result.name}: {result.status}, {len(result.steps)} steps; explain one by its name"]
    for index, step in enumerate(result.steps):
        key = step.key[:12] if step.key is not None else "-"
        rows.append(f"  {index:3} {step.status:<9} {step.seconds:7.2f} s  {key}  {step.name}  ({step.executor})")
    return "\n".join(rows)
