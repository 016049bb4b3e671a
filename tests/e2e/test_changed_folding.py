"""After one layer's folding has changed, that layer alone is synthesised again, with what joins its neighbours."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.lasting_sessions import LastingWorkspace
from support.paths import EXAMPLES, ROOT
from support.seeded_networks import Network

pytestmark = pytest.mark.env
JOINTS = ("StreamingFIFO", "StreamingDataWidthConverter")
# Nothing is simulated, so FIFOs are not sized.
SYNTHESIS = """build = { model = "net.onnx", flow = "open" }
target = { part = "xczu7ev-ffvc1156-2-e", target_fps = RATE }
step.insert_streams.parameters.fifo_depth = 2
[step.step_apply_folding_config.inputs]
folding_config = "folding.json"
[flow.edit]
remove = ["compile_library", "insert_deep_fifos", "codegen_for_sizing", "stitch_for_sizing", "compile_for_sizing",
  "size_fifos", "compile", "expect", "simulate", "export"]
"""


def synthesise(workspace: Workspace, folder: Path, folding: Mapping[str, Any], rate: int) -> BuildResult:
    """Synthesise FOLDER/net.onnx with the folding that the rate needs, but for these layers."""
    (folder / "folding.json").write_text(json.dumps({"Defaults": {}, **folding}))
    (folder / "build.toml").write_text(SYNTHESIS.replace("RATE", str(rate)))
    result = build(workspace, folder / "build.toml", folder / "out", last="synthesize")
    assert result.status == "ok", result.failure
    return result


def items_by_status(result: BuildResult) -> dict[str, set[str]]:
    """The names of the layers that ran and of those that were recalled."""
    (step,) = (step for step in result.steps if step.name == "synthesize_layers")
    found: dict[str, set[str]] = {"ran": set(), "recalled": set()}
    for item in step.items:
        found[item.status].add(item.name.removeprefix("synthesize_layers."))
    return found


def check_change(workspace: Workspace, folder: Path, layer: str, changed: Mapping[str, int], rate: int) -> None:
    first = items_by_status(synthesise(workspace, folder, {}, rate))
    assert first["recalled"] == set()
    result = synthesise(workspace, folder, {layer: changed}, rate)
    again = items_by_status(result)
    assert layer in again["ran"]
    assert {name for name in again["ran"] if not name.startswith(JOINTS)} == {layer}
    kept = {name for name in first["ran"] if not name.startswith(JOINTS)} - {layer}
    assert {name for name in again["recalled"] if not name.startswith(JOINTS)} == kept
    # At most both sides of the layer get other FIFOs and width converters.
    assert len(again["ran"]) <= 1 + 2 * 3
    ran = [step.name for step in result.steps if step.status == "ran"]
    assert ran[-2:] == ["synthesize_layers", "synthesize"]


def test_one_changed_folding_synthesises_one_layer_and_what_joins_it(cache: Path, tmp_path: Path) -> None:
    network = Network(3, (1, 8))
    network.quantize()
    network.node("MatMul", network.weights(8, 4))
    network.node("Relu")
    network.quantize(scale=0.5, signed=0)
    network.node("MatMul", network.weights(4, 2))
    onnx.save(network.model((1, 2)), tmp_path / "net.onnx")
    with LastingWorkspace(ROOT, cache) as workspace:
        check_change(workspace, tmp_path, "MVAU_rtl_1", {"PE": 1, "SIMD": 2}, 1_000)


@pytest.mark.proof
@pytest.mark.timeout(7200)
def test_one_changed_folding_of_cnv_synthesises_one_layer_and_what_joins_it(cache: Path, tmp_path: Path) -> None:
    onnx.save(onnx.load(EXAMPLES / "cnv" / "cnv_2w2a.onnx"), tmp_path / "net.onnx")
    check_change(Workspace(ROOT, cache), tmp_path, "MVAU_rtl_7", {"PE": 2, "SIMD": 1}, 1_000)
