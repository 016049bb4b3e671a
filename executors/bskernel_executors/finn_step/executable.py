"""Which models Python executes."""

from __future__ import annotations

from pathlib import Path

from bskernel_executors.sdk import StepFailure

_BACKENDS = (".fpgadataflow.rtl", ".fpgadataflow.hls")


def refuse_backends(path: Path) -> None:
    """A specialized layer computes in its backend's own simulation, not in Python. Raises StepFailure (config)."""
    from qonnx.core.modelwrapper import ModelWrapper

    for node in ModelWrapper(str(path)).graph.node:
        if node.domain.endswith(_BACKENDS):
            raise StepFailure(
                category="config",
                message=f"{node.name} ({node.op_type}) is specialized for a backend: Python does not execute it",
                hint="evaluate before step_specialize_layers",
            )
