"""Exports with quirks, built with three lines of config: what was mended is said, and equal networks have one key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from onnx import TensorProto, numpy_helper
from support.builds import build_text, result_of
from support.seeded_networks import draw_frame, execute, make_cnn, make_mlp

pytestmark = pytest.mark.env
ADAPT = '[[step]]\nname = "adapt"\nentry = "qonnx-transform:adapt"\n'
CLEANUP = '[[step]]\nname = "cleanup"\nentry = "qonnx-transform:cleanup"\n'


def adapt(workspace: Workspace, folder: Path, model: Any, steps: str = ADAPT) -> BuildResult:
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "net.onnx")
    return build_text(workspace, folder, 'build.model = "net.onnx"\n' + steps)


def in_double_precision(model: Any) -> Any:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    return model


def exported_at(path: str) -> Any:
    model = make_mlp(0)
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=f'File "{path}", line 7')
    return model


def of_unknown_size() -> Any:
    model = make_cnn(0)
    for at in (2, 3):
        dim = model.graph.input[0].type.tensor_type.shape.dim[at]
        dim.Clear()
        dim.dim_param = "size"
    return model


def test_changes_are_in_the_terminal_the_result_and_a_file_of_their_own(workspace: Workspace, tmp_path: Path) -> None:
    result = adapt(workspace, tmp_path, in_double_precision(make_cnn(0, batch=3)), ADAPT + CLEANUP)
    assert result.status == "ok", result.failure
    rows = result_of(tmp_path / "out")["steps"][0]["record"]["summary"]
    assert [(row["label"], row["value"]) for row in rows] == [("adapted precision", "1"), ("adapted batch", "1")]
    text = describe_result(result)
    assert "adapted batch" in text
    assert "input, Reshape_0: a batch of 3 -> one frame" in text
    (path,) = (tmp_path / "out" / "artifacts").glob("adaptation*")
    said = json.loads(path.read_text())
    assert [change["kind"] for change in said["changes"]] == ["precision", "batch"]
    assert said["compared_frames"] == 6
    model = onnx.load(tmp_path / "out" / "artifacts" / "model.onnx")
    frame = draw_frame(0, 1, 2, 6, 6)
    (found,) = execute(model, {model.graph.input[0].name: frame})
    np.testing.assert_array_equal(found, execute(make_cnn(0), {"input": frame})[0])


def test_the_same_network_exported_elsewhere_recalls_what_comes_after_adapt(
    workspace: Workspace, tmp_path: Path
) -> None:
    here = adapt(workspace, tmp_path / "here", exported_at("/home/one/net.py"), ADAPT + CLEANUP)
    there = adapt(workspace, tmp_path / "there", exported_at("/srv/two/net.py"), ADAPT + CLEANUP)
    assert here.steps[0].outputs == there.steps[0].outputs
    assert [step.status for step in there.steps] == ["ran", "recalled"]


def test_an_unknown_size_is_refused_with_the_parameter_that_sets_it_and_the_parameter_works(
    workspace: Workspace, tmp_path: Path
) -> None:
    refused = adapt(workspace, tmp_path / "refused", of_unknown_size())
    assert refused.failure is not None
    assert "dimension 2 (size) of input 'input' is unknown" in refused.failure.message
    assert "override_input_size = [1, 2, 32, 32] under [parameters.qonnx-transform]" in str(refused.failure.hint)
    size = "[parameters.qonnx-transform]\noverride_input_size = [1, 2, 6, 6]\n"
    for steps in (ADAPT + CLEANUP, CLEANUP):
        result = adapt(workspace, tmp_path / f"set{len(steps)}", of_unknown_size(), steps + size)
        assert result.status == "ok", result.failure
        made = onnx.load(tmp_path / f"set{len(steps)}" / "out" / "artifacts" / "model.onnx")
        assert [dim.dim_value for dim in made.graph.input[0].type.tensor_type.shape.dim] == [1, 2, 6, 6]


def test_a_mend_that_the_build_leaves_out_is_not_made(workspace: Workspace, tmp_path: Path) -> None:
    left_out = ADAPT + 'parameters = { skip = ["precision"] }\n'
    result = adapt(workspace, tmp_path, in_double_precision(make_mlp(0)), left_out)
    assert result.status == "ok", result.failure
    model = onnx.load(tmp_path / "out" / "artifacts" / "model.onnx")
    assert TensorProto.DOUBLE in {tensor.data_type for tensor in model.graph.initializer}


def test_throughput_counts_frames_whatever_batch_was_exported(workspace: Workspace, tmp_path: Path) -> None:
    found = []
    for batch in (1, 4):
        target = 'target.board = "ZCU104"\ntarget.target_fps = 100_000\nquality.verify = "off"\n'
        result = adapt(workspace, tmp_path / str(batch), make_mlp(0, batch=batch), target)
        assert result.status == "ok", result.failure
        assert result.metrics is not None
        found.append(result.metrics["throughput"][0]["value"])
    assert found[0] == found[1]
