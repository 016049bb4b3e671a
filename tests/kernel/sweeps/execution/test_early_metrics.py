"""Steps that a flow has for what a sweep requires: in its points, and in no other build."""

from pathlib import Path

import pytest
from bskernel.plan.planner import Plan
from bskernel.sweeps.execution.preparation import prepare_sweep
from bskernel.workspace.workspace import Workspace
from support.onnx_bytes import network
from support.paths import ROOT

CONFIG = """
[build]
model = "net.onnx"
flow = "{flow}"
[target]
part = "xc7z020clg400-1"
board = "Pynq-Z1"
[sweep]
{require}
[sweep.grid]
"target.target_fps" = [1000]
"""
COSTLY = {"step_hw_codegen", "insert_deep_fifos", "synthesize"}


def plans(folder: Path, flow: str, require: str) -> tuple[Plan, Plan]:
    """Of the sweep's point, and of the same build without the sweep."""
    (folder / "net.onnx").write_bytes(network())
    path = folder / "build.toml"
    path.write_text(CONFIG.format(flow=flow, require=require))
    workspace = Workspace(ROOT, folder / "cache")
    prepared = prepare_sweep(workspace, path)
    alone = workspace.prepare(path, settings=["target.target_fps=1000"])
    return prepared.plan_of(prepared.plan.points[0]), alone.plan


@pytest.mark.parametrize("flow", ["codegen", "rtl", "open", "netlist"])
def test_where_a_flow_goes_on_after_its_estimates_requirements_are_judged_by_them_first(
    tmp_path: Path, flow: str
) -> None:
    point, alone = plans(tmp_path, flow, 'require = "utilization.LUT < 0.8"')
    names = [step.name for step in point.steps]
    early = names.index("early_metrics")
    assert early < min(names.index(name) for name in COSTLY & set(names))
    assert names[early - 1] == "step_generate_estimate_reports"
    rest = [step for step in point.steps if step.name != "early_metrics"]
    assert [(step.name, step.entry, step.parameters, step.inputs) for step in rest] == [
        (step.name, step.entry, step.parameters, step.inputs) for step in alone.steps
    ]


@pytest.mark.parametrize(("flow", "require"), [("rtl", ""), ("estimate", 'require = "utilization.LUT < 0.8"')])
def test_where_nothing_is_required_or_nothing_costly_follows_there_is_no_such_step(
    tmp_path: Path, flow: str, require: str
) -> None:
    point, alone = plans(tmp_path, flow, require)
    assert point.steps == alone.steps
