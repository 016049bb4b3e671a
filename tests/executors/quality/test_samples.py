"""Samples in their one form, what is refused, and what is drawn."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel_executors.quality.samples import (
    Samples,
    draw_frames,
    fit_frames,
    make_samples,
    read_samples,
    write_samples,
)
from bskernel_executors.quality.user_metric import compute_user_metric
from bskernel_executors.sdk import StepFailure


class Kind:
    """A QONNX data type as samples see it."""

    def __init__(self, name: str, low: float, high: float, step: float = 1) -> None:
        self.name, self._low, self._high, self._step = name, low, high, step

    def is_integer(self) -> bool:
        return self.name.startswith(("INT", "UINT", "BI"))

    def is_fixed_point(self) -> bool:
        return self.name.startswith("FIXED")

    def min(self) -> float:
        return self._low

    def max(self) -> float:
        return self._high

    def scale_factor(self) -> float:
        return self._step

    def allowed(self, values: Any) -> Any:
        inside = (values >= self._low) & (values <= self._high)
        if self.name == "FLOAT32":
            return np.True_
        return inside & (np.mod(values, self._step) == 0) & ((values != 0) | (self.name != "BIPOLAR"))


UINT4 = Kind("UINT4", 0, 15)


def message(error: pytest.ExceptionInfo[StepFailure]) -> str:
    assert error.value.failure.category == "config"
    return error.value.failure.message


def test_samples_come_back_as_they_were_written_and_equal_ones_give_equal_bytes(tmp_path: Path) -> None:
    samples = Samples(np.arange(12, dtype=np.float32).reshape(3, 4), np.array([2, 0, 1]), ("a", "b", "ç"))
    for name in ("one", "two"):
        write_samples(samples, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    # ZIP64 is written in more than one form: another Python would give other bytes.
    assert {item.extract_version for item in zipfile.ZipFile(tmp_path / "one").infolist()} == {20}
    found = read_samples(tmp_path / "one")
    assert (found.inputs == samples.inputs).all()
    assert found.labels is not None
    assert found.labels.tolist() == [2, 0, 1]
    assert found.classes == ("a", "b", "ç")


FRAMES = np.zeros((3, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    ("inputs", "labels", "needles"),
    [
        (np.array(["a", "b"]), None, ["numbers"]),
        (np.zeros(5), None, ["[5]"]),
        (np.zeros((0, 4)), None, ["[0, 4]"]),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), None, ["frame 1", "NaN"]),
        (FRAMES, np.array([0, 1]), ["[2]", "3 frames"]),
        (FRAMES, np.eye(3), ["[3, 3]", "3 frames"]),
        (FRAMES, np.array([0, 1, -1]), ["whole numbers from 0"]),
        (FRAMES, np.array([0, 1, 0.5]), ["whole numbers from 0"]),
    ],
)
def test_arrays_that_are_no_samples_are_refused(inputs: Any, labels: Any, needles: list[str]) -> None:
    with pytest.raises(StepFailure) as error:
        make_samples(inputs, labels, "mine.npz")
    for needle in ["mine.npz", *needles]:
        assert needle in message(error)


def damaged(folder: Path) -> dict[str, Path]:
    np.savez(folder / "whole.npz", inputs=np.random.default_rng(0).random((20, 30)))
    data = (folder / "whole.npz").read_bytes()
    files = {
        "empty": b"",
        "text": b"inputs = 3",
        "cut short": data[: len(data) // 2],
        "spoilt": data[:600] + bytes(255 - byte for byte in data[600:700]) + data[700:],
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    np.savez(folder / "other names", x=FRAMES)
    (folder / "other names.npz").rename(folder / "other names")
    np.savez(folder / "objects", inputs=np.array([{}, {}]))
    (folder / "objects.npz").rename(folder / "objects")
    return {name: folder / name for name in [*files, "other names", "objects"]}


def test_each_damaged_file_is_refused_with_a_reason(tmp_path: Path) -> None:
    for name, path in damaged(tmp_path).items():
        with pytest.raises(StepFailure) as error:
            read_samples(path)
        assert message(error).startswith("samples "), name
    with pytest.raises(StepFailure) as error:
        read_samples(tmp_path / "other names")
    assert "no array `inputs`; it has x" in message(error)


def test_frames_take_the_model_s_shape_when_nothing_but_it_differs() -> None:
    assert fit_frames(np.zeros((5, 2, 3)), (6,), UINT4, "samples").shape == (5, 6)
    with pytest.raises(StepFailure) as error:
        fit_frames(np.zeros((5, 2, 4)), (6,), UINT4, "samples")
    assert "[2, 4], the model takes [6]" in message(error)


@pytest.mark.parametrize("value", [16, -1, 0.5])
def test_a_value_that_the_data_type_does_not_have_is_named_with_its_frame(value: float) -> None:
    frames = np.zeros((5, 4))
    frames[3, 2] = value
    with pytest.raises(StepFailure) as error:
        fit_frames(frames, (4,), UINT4, "samples")
    assert f"frame 3 holds {value:g}; the model takes UINT4" in message(error)


@pytest.mark.parametrize(
    "kind",
    [
        UINT4,
        Kind("INT3", -4, 3),
        Kind("BIPOLAR", -1, 1),
        Kind("INT32", -(2**31), 2**31 - 1),
        Kind("FIXED<4,2>", -2, 1.75, 0.25),
        Kind("FLOAT32", -3e38, 3e38),
    ],
    ids=lambda kind: str(kind.name),
)
def test_drawn_frames_are_of_the_data_type_the_same_each_time_and_cover_it(kind: Kind) -> None:
    frames = draw_frames(64, (3, 8), kind)
    assert frames.shape == (64, 3, 8)
    assert np.broadcast_to(kind.allowed(frames), frames.shape).all()
    assert (frames == draw_frames(64, (3, 8), kind)).all()
    if kind.name == "FLOAT32":
        assert 0 <= frames.min() < 0.1 < 0.9 < frames.max() < 1
    elif kind.name != "INT32":
        assert (frames.min(), frames.max()) == (kind.min(), kind.max())


def test_a_metric_of_the_user_s_own_is_recorded_under_its_name_and_its_errors_are_told(tmp_path: Path) -> None:
    (tmp_path / "quality_of_mine.py").write_text(
        "def share(outputs, labels):\n    return (outputs.argmax(1) == labels).mean() / 2\n"
        "def broken(outputs, labels):\n    raise KeyError('weights')\n"
        "def nothing(outputs, labels):\n    return float('nan')\n"
    )
    outputs, labels = np.eye(3), np.array([0, 1, 0])
    assert compute_user_metric("quality_of_mine:share", tmp_path, outputs, labels) == {"share": pytest.approx(1 / 3)}
    for text, given, needle in (
        ("quality_of_mine:gone", labels, "unknown function 'quality_of_mine:gone'"),
        ("nosuchmodule:share", labels, "No module named 'nosuchmodule'"),
        ("share", labels, "unknown function 'share'"),
        ("quality_of_mine:broken", labels, "KeyError: 'weights'"),
        ("quality_of_mine:nothing", labels, "returned nan"),
        ("quality_of_mine:share", None, "needs labels"),
    ):
        with pytest.raises(StepFailure) as error:
            compute_user_metric(text, tmp_path, outputs, given)
        assert needle in message(error)
