"""A difference between two artifacts is shown in their own terms."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from bskernel.verification.artifact_difference import describe_difference
from onnx import TensorProto, helper, numpy_helper


def two(folder: Path, was: bytes, now: bytes) -> tuple[str, ...]:
    (folder / "was").write_bytes(was)
    (folder / "now").write_bytes(now)
    return describe_difference(folder / "was", folder / "now")


def network(alpha: float = 0.5, weight: float = 1.0, name: str = "act", path: str = "/a") -> bytes:
    node = helper.make_node("LeakyRelu", ["sum"], ["out"], name=name, alpha=alpha)
    add = helper.make_node("Add", ["x", "w"], ["sum"], name="add")
    values = [helper.make_tensor_value_info(key, TensorProto.FLOAT, [1, 2]) for key in ("x", "out")]
    weights = numpy_helper.from_array(np.array([weight, 2.0], dtype=np.float32), "w")
    model = helper.make_model(helper.make_graph([add, node], "net", values[:1], values[1:], [weights]))
    entry = model.metadata_props.add()
    entry.key, entry.value = "path", path
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"alpha": 0.25}, ["nodes.act.attributes.alpha: was 0.5, is 0.25"]),
        ({"path": "/b"}, ['metadata.path: was "/a", is "/b"']),
        ({"weight": 3.0}, ["initializers.w.content: was"]),
        ({"name": "other"}, ["nodes.act: was", "nodes.other: was absent", "order of nodes"]),
    ],
)
def test_a_network_s_nodes_attributes_initializers_and_metadata_are_named(
    change: dict[str, float | str], told: list[str], tmp_path: Path
) -> None:
    onnx.checker.check_model(onnx.load_from_string(network()))
    found = two(tmp_path, network(), network(**change))  # type: ignore[arg-type]
    assert len(found) == len(told)
    for line, start in zip(found, told, strict=True):
        assert line.startswith(start)


def test_keys_of_json_are_named(tmp_path: Path) -> None:
    assert two(tmp_path, b'{"a": {"b": 1, "c": 2}}', b'{"c": 2, "a": {"b": 3, "c": 2}}') == (
        "a.b: was 1, is 3",
        "c: was absent, is 2",
    )


def test_lines_of_text_are_shown(tmp_path: Path) -> None:
    found = two(tmp_path, b"module a;\nwire x;\nendmodule\n", b"module a;\nwire y;\nendmodule\n")
    assert "-wire x;" in found
    assert "+wire y;" in found


def test_of_other_files_the_first_byte_that_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no diffoscope
    assert two(tmp_path, b"\xff\x00\x01", b"\xff\x00\x02\x03") == (
        "3 bytes, then 4; the first that differs is byte 2",
    )


def test_files_of_a_folder_are_compared_each_in_its_terms(tmp_path: Path) -> None:
    was, now = tmp_path / "was", tmp_path / "now"
    for folder, text in ((was, '{"a": 1}'), (now, '{"a": 2}')):
        folder.mkdir()
        (folder / "same").write_text("same")
        (folder / "x.json").write_text(text)
    (was / "old").write_text("")
    (now / "new").write_text("")
    assert describe_difference(was, now) == (
        "old: only in the published build",
        "new: only in the second build",
        "x.json:",
        "  a: was 1, is 2",
    )
