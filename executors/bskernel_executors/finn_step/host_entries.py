"""The entries `split_host` and `reference`: what the host computes, and what the hardware must."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.host_split import split_host
from bskernel_executors.finn_step.reference import ReferenceParameters, make_reference
from bskernel_executors.finn_step.step_call import run_step
from bskernel_executors.sdk import Input, Output, Registry, Step


def compute_reference(step: Step[ReferenceParameters]) -> None:
    """Execute the model for all frames."""
    out = step.output("reference")
    out.mkdir()
    model, host, samples = step.required_input("model"), step.input("host"), step.input("samples")
    step.record(make_reference(model, host, samples, step.params.random_frames, out))


def split(step: Step[msgspec.Struct]) -> None:
    """Split the model and list the host's nodes in the summary."""
    host = step.output("host")
    host.mkdir()
    rows: list[dict[str, str]] = []

    def cut(model: Any, _: Any) -> Any:
        body, found = split_host(model, host)
        for nodes, where in ((found.head, "before the accelerator"), (found.tail, "after the accelerator")):
            rows.extend(
                {"label": "on the host", "value": f"{node.kind} {node.name}", "note": where} for node in nodes
            )
        return body

    run_step(step, "split_host", cut, {})
    step.record({"summary": rows})


def declare_host(registry: Registry) -> None:
    """Declare both entries."""
    registry.entry(
        "reference",
        summary="compute in Python what the hardware must compute for given frames, in integers",
        parameters=ReferenceParameters,
        inputs=(
            Input(
                "model",
                kind="file",
                help="the accelerator's model, at a stage that Python can execute",
                media_type="application/x-onnx",
            ),
            Input("host", kind="tree", required=False, help="what the host computes before and after it"),
            Input(
                "samples",
                kind="file",
                required=False,
                help="npz from the entry samples",
            ),
        ),
        outputs=(Output("reference", kind="tree"),),
        failure="transform",
    )(compute_reference)
    registry.entry(
        "split_host",
        summary="leave leading and trailing nodes to the host, if integer hardware cannot compute them",
        inputs=FLOW_INPUTS,
        outputs=(*FLOW_OUTPUTS, Output("host", kind="tree", help="head.onnx, tail.onnx, host.json")),
        stage_in=("finn",),
        stage_out="finn",
        failure="transform",
    )(split)
