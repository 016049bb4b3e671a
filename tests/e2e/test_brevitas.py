"""A user's fresh Brevitas export and three lines of configuration: what Brevitas computes is what is built."""

import json
from pathlib import Path

import numpy as np
import pytest
from bskernel.workspace.workspace import Workspace
from support.brevitas_exports import export_networks
from support.builds import build

NETWORKS = (
    *("tfc_1w1a", "tfc_1w2a", "tfc_2w2a", "tfc_2w2a_qcdq", "sfc_1w2a", "lfc_1w1a", "cnv_1w1a", "cnv_2w2a"),
    *("mobilenet", "resnet18", "keywords", "keywords_qcdq", "unet"),
)
# The first test also installs the environment and exports all networks.
pytestmark = [pytest.mark.env, pytest.mark.brevitas, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_networks(tmp_path_factory.mktemp("brevitas"), *NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_export_reaches_estimates_and_every_stage_computes_what_brevitas_does(
    workspace: Workspace, exports: Path, tmp_path: Path, name: str
) -> None:
    config = exports / f"{name}.toml"
    config.write_text(f'build.model = "{name}.onnx"\n[target]\nboard = "ZCU104"\ntarget_fps = 1_000\n')
    result = build(workspace, config, tmp_path / "out", f"quality.samples={name}.npz", "quality.frames=100")
    assert result.status == "ok", result.failure
    evaluation = tmp_path / "out" / "artifacts" / "evaluation"
    stages = json.loads((evaluation / "evaluation.json").read_text())["stages"]
    assert [stage["stage"] for stage in stages] == ["qonnx", "finn", "hwgraph"]
    for stage in stages:
        assert stage["frames"] == 100
        assert stage.get("top_1") in (None, 1.0), f"{stage['stage']}: other classes than Brevitas chooses"
    for stage in stages[1:]:
        assert stage["comparison"]["mismatches"] == 0, stage["comparison"]
    expected = np.load(exports / f"{name}_outputs.npy")
    last = np.load(evaluation / "outputs.npy")
    assert last.shape == expected.shape
    np.testing.assert_allclose(last, expected, rtol=1e-5, atol=1e-5)
