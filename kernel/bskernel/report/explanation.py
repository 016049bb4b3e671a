"""Renders an explanation as text."""

from __future__ import annotations

from bskernel_protocol import pretty_json

from bskernel.result.build_result import BuildResult
from bskernel.result.explanation import Explanation


def _value(value: object) -> str:
    return " ".join(pretty_json(value).split())


def describe_explanation(explained: Explanation) -> str:
    """A step and how it ended, as text."""
    memory = f", at most {explained.peak_mib} MiB" if explained.peak_mib is not None else ""
    lines = [
        f"step {explained.step}: {explained.status}, {explained.seconds:.2f} s{memory}",
        f"  {explained.executor} : {explained.entry}",
    ]
    if explained.items:
        lines.append(f"  {explained.items}")
    if explained.because is not None:
        lines.append(f"  because {explained.because}")
    lines += [f"  it ran because: {reason}" for reason in explained.why]
    lines += [f"  partial: {reason}" for reason in explained.partial]
    if explained.failure is not None:
        lines += _failure(explained)
    for title, values in (("parameters", explained.parameters), ("limits", explained.limits)):
        lines += (
            [f"  {title}:", *(f"    {name} = {_value(values[name])}" for name in sorted(values))] if values else []
        )
    for title, artifacts in (("inputs", explained.inputs), ("outputs", explained.outputs)):
        if artifacts:
            lines.append(f"  {title}:")
            lines += [
                f"    {item.name} ({item.kind}) {item.digest.sha256[:16]} {item.digest.size} B" for item in artifacts
            ]
    lines += [f"  key: {explained.key}"] if explained.key is not None else []
    lines += [f"  log: {explained.log}"] if explained.log is not None else []
    lines += [f"  try: {command}" for command in explained.commands]
    lines += [f"  changed since the build: {line}" for line in explained.altered]
    return "\n".join(lines)


def _failure(explained: Explanation) -> list[str]:
    failure = explained.failure
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
    if explained.excerpt:
        lines += ["  log excerpt:", *(f"    | {line}" for line in explained.excerpt)]
    return lines


def describe_steps(result: BuildResult) -> str:
    """One line for each step of a build without a failure."""
    rows = [f"{result.name}: {result.status}, {len(result.steps)} steps; give a step's name to explain it"]
    for index, whole in enumerate(result.steps):
        for step in whole.parts:
            key = step.key[:12] if step.key is not None else "-"
            rows.append(f"  {index:3} {step.status:<9} {step.seconds:7.2f} s  {key}  {step.name}  ({step.executor})")
    return "\n".join(rows)
