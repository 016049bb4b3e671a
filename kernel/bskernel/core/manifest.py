"""The manifest of a step."""

from __future__ import annotations

from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    StepManifest,
)

from bskernel.core.step import Step


def manifest_of(step: Step, inputs: dict[str, Artifact]) -> StepManifest:
    """The manifest of a step whose inputs are known."""
    return StepManifest(
        protocol=PROTOCOL_VERSION,
        step=step.name,
        executor=step.executor.name,
        version=step.executor.version,
        executor_digest=step.executor.digest,
        entry=step.entry,
        parameters=step.parameters,
        inputs=tuple(inputs[name] for name in sorted(inputs)),
        memory_mib=step.memory_mib,
        tools={install.tool: install.identity for install in step.executor.tools},
    )
