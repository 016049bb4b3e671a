"""Damaged models end in a failure that names what is wrong with the file, soon, and never take the executor along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from bskernel_executors.qonnx_transform.checks import read_model
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.fault_location import locate_fault
from support.seeded_networks import make_mlp

TESTS = Path(__file__).parents[2]
DIGITS = TESTS.parent / "examples" / "digits" / "digits_w4a4.onnx"
LIMIT_S = 60
# What a library says of a model whose graph is sound, but not its numbers; the text says what.
UNCLEAR = 0.03


@pytest.mark.parametrize("whole", ["convolutions", str(DIGITS)])
def test_models_damaged_in_every_way_end_in_failures_of_the_model(whole: str, tmp_path: Path) -> None:
    script = TESTS / "support" / "damaged_models.py"
    command = [sys.executable, str(script), whole, str(tmp_path), str(LIMIT_S), "0", "180"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["seed"] for row in rows] == list(range(180))
    failed = [row for row in rows if "category" in row]
    assert len(failed) > len(rows) / 2
    assert [row for row in failed if row["category"] != "model_load" or not row["message"].isprintable()] == []
    clear = {None, "google.protobuf.message.DecodeError", "graphlib.CycleError"}
    assert len([row for row in failed if row["exception"] not in clear]) <= UNCLEAR * len(rows)


def network() -> onnx.ModelProto:
    model: onnx.ModelProto = make_mlp(0)
    return model


def refusal(model: onnx.ModelProto, tmp_path: Path) -> str:
    """How the model is refused."""
    path = tmp_path / "damaged.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(StepFailure) as caught:
        read_model(path, untrusted=True)
    assert caught.value.failure.category == "model_load"
    return caught.value.failure.message


def test_what_is_wrong_with_a_graph_is_named(tmp_path: Path) -> None:
    sound = network()
    (tmp_path / "damaged.onnx").write_bytes(sound.SerializeToString())
    read_model(tmp_path / "damaged.onnx", untrusted=True)

    model = network()
    name = model.graph.node[0].output[0]
    model.graph.node[0].name = ""
    del model.graph.node[0].output[:]
    assert "has no output" in refusal(model, tmp_path)

    model = network()
    model.graph.node[0].input[0] = "nowhere"
    assert "takes 'nowhere', which nothing makes" in refusal(model, tmp_path)

    model = network()
    model.graph.node.append(model.graph.node[0])
    assert f"the tensor {name!r} has two sources" in refusal(model, tmp_path)

    model = network()
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]
    assert "its nodes form a cycle" in refusal(model, tmp_path)

    model = network()
    constant = model.graph.initializer[0]
    constant.dims.append(1 << 40)
    assert f"the constant {constant.name!r} has the shape" in refusal(model, tmp_path)

    model = network()
    model.graph.initializer[0].data_type = 0
    assert "has no data type" in refusal(model, tmp_path)

    model = network()
    for size in model.graph.input[0].type.tensor_type.shape.dim:
        size.dim_value = 1 << 20
    assert f"the tensor {model.graph.input[0].name!r} has the shape" in refusal(model, tmp_path)

    model = network()
    inner = onnx.GraphProto()
    for _ in range(25):
        outer = onnx.GraphProto()
        outer.node.add(op_type="If", input=["c"], output=["o"]).attribute.add(name="then_branch", type=5).g.CopyFrom(
            inner
        )
        inner = outer
    model.graph.node.extend(inner.node)
    assert "graphs nest more than 20 deep" in refusal(model, tmp_path)


def test_a_node_without_name_and_outputs_can_be_the_one_that_failed() -> None:
    node = onnx.NodeProto(op_type="Conv")
    with pytest.raises(ValueError, match="bad") as caught:
        _fail(node)
    fault = locate_fault(caught.value)
    assert fault is not None
    assert (fault.name, fault.operator) == ("", "Conv")


def _fail(node: onnx.NodeProto) -> None:
    raise ValueError(f"bad {node.op_type}")
