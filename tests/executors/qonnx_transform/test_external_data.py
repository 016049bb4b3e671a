"""Models whose tensors are in other files, and files that are no models."""

from __future__ import annotations

import zipfile
from pathlib import Path

import onnx
import pytest
from bskernel_executors.qonnx_transform.checks import read_model
from bskernel_executors.sdk import StepFailure
from support.seeded_networks import make_mlp


def save(folder: Path, location: str = "weights.data") -> Path:
    model = make_mlp(0)
    path = folder / "net.onnx"
    folder.mkdir(exist_ok=True)
    onnx.save_model(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


def test_data_beside_the_model_and_in_a_folder_become_part_of_the_model(tmp_path: Path) -> None:
    sound = make_mlp(0)
    path = save(tmp_path / "a")
    (tmp_path / "data").mkdir()
    found = [read_model(path)]
    (tmp_path / "a" / "weights.data").rename(tmp_path / "data" / "weights.data")
    found.append(read_model(path, tmp_path / "data"))
    for wrapper in found:
        model = wrapper.model
        assert not any(tensor.external_data for tensor in model.graph.initializer)
        for tensor, expected in zip(model.graph.initializer, sound.graph.initializer, strict=True):
            assert (onnx.numpy_helper.to_array(tensor) == onnx.numpy_helper.to_array(expected)).all()


def test_a_file_that_is_missing_or_cut_off_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a")
    data = tmp_path / "a" / "weights.data"
    data.write_bytes(data.read_bytes()[:-3])
    with pytest.raises(StepFailure, match=r"'weights\.data' does not hold the whole of"):
        read_model(path)
    data.unlink()
    with pytest.raises(StepFailure, match=r"in the file 'weights\.data', which is not beside it") as caught:
        read_model(path)
    assert "under this name" in str(caught.value.failure.hint)


@pytest.mark.parametrize("location", ["../secret.data", "/etc/hostname"])
def test_a_file_outside_the_model_s_folder_is_not_read(tmp_path: Path, location: str) -> None:
    path = save(tmp_path / "a")
    (tmp_path / "secret.data").write_bytes((tmp_path / "a" / "weights.data").read_bytes())
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(StepFailure, match="which is not beside it"):
        read_model(path)


def test_a_checkpoint_or_any_other_file_is_no_onnx_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("archive/data.pkl", "weights")
    (tmp_path / "net.txt").write_text("layer: conv\n")
    (tmp_path / "empty").touch()
    for path in tmp_path.iterdir():
        with pytest.raises(StepFailure, match="not an ONNX file") as caught:
            read_model(path)
        assert ".onnx" in str(caught.value.failure.hint)
