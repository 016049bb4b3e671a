"""Every form in which samples are given, and what is said of those that do not fit."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from bskernel.commands.build import run_build
from bskernel.core.observers import SilentObserver
from bskernel.result.build_result import BuildResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits"
CONV = ROOT / "examples" / "digits-conv"
pytestmark = pytest.mark.env


def read(
    workspace: Workspace, tmp_path: Path, quality: str, parameters: str = "", model: Path | None = None
) -> BuildResult:
    (tmp_path / "build.toml").write_text(
        f'build.model = "{model or CONV / "digits_conv_w4a4.onnx"}"\n[quality]\n{quality}\n'
        f'[[step]]\nentry = "qonnx-transform:samples"\n[step.parameters]\n{parameters}\n'
    )
    prepared = workspace.prepare(tmp_path / "build.toml", output=tmp_path / "out")
    return run_build(workspace, prepared, SilentObserver(), options=BuildOptions(runtime="process"))


def made(result: BuildResult, tmp_path: Path) -> dict[str, np.ndarray]:
    assert result.status == "ok", result.failure
    (path,) = (tmp_path / "out" / "artifacts").glob("samples*")
    with path.open("rb") as file:
        data = np.load(file)
        return {name: data[name] for name in data.files}


def frames() -> tuple[np.ndarray, np.ndarray]:
    with (CONV / "heldout.npz").open("rb") as file:
        data = np.load(file)
        return data["inputs"][:20].reshape(20, 8, 8).astype(np.uint8), data["labels"][:20]


def png(values: np.ndarray, kind: int = 0) -> bytes:
    """Gray (kind 0) or with alpha (kind 4)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pgm(values: np.ndarray) -> bytes:
    return f"P5 {values.shape[1]} {values.shape[0]} 255\n".encode() + values.tobytes()


def image_folder(folder: Path) -> Path:
    """Classes "a" to ..., by label, half of the images PNG and half PGM."""
    images, labels = frames()
    for at, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / f"class-{label}"
        place.mkdir(parents=True, exist_ok=True)
        name, data = (f"{at:02d}.png", png(image)) if at % 2 else (f"{at:02d}.pgm", pgm(image))
        (place / name).write_bytes(data)
    return folder


def test_an_npz_an_npy_pair_and_npy_with_labels_beside_it_give_the_same_bytes(
    workspace: Workspace, tmp_path: Path
) -> None:
    images, labels = frames()
    np.savez(tmp_path / "all.npz", inputs=images, labels=labels)
    (tmp_path / "pair").mkdir()
    np.save(tmp_path / "pair" / "inputs.npy", images)
    np.save(tmp_path / "pair" / "labels.npy", labels)
    forms = {
        "npz": 'samples = "all.npz"',
        "pair": 'samples = "pair"',
        "npy": 'samples = "pair/inputs.npy"\nlabels = "pair/labels.npy"',
    }
    digests = {}
    for name, quality in forms.items():
        result = read(workspace, tmp_path, quality)
        found = made(result, tmp_path)
        assert (found["inputs"] == images.reshape(20, 1, 8, 8)).all()
        assert (found["labels"] == labels).all()
        digests[name] = result.artifacts["samples"].digest
    assert len(set(digests.values())) == 1


def test_a_folder_of_images_has_a_class_for_each_subfolder_and_a_limit_takes_of_many(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "images")
    images, labels = frames()
    names = sorted({f"class-{label}" for label in labels})
    result = read(workspace, tmp_path, 'samples = "images"')
    found = made(result, tmp_path)
    assert found["classes"].tolist() == names == result.steps[0].record["classes"]
    assert found["inputs"].shape == (20, 1, 8, 8)
    for frame, label in zip(found["inputs"], found["labels"], strict=True):
        (at,) = np.flatnonzero((images == frame).all(axis=(1, 2)))
        assert names[label] == f"class-{labels[at]}"
    few = made(read(workspace, tmp_path, 'samples = "images"\nlimit = 5'), tmp_path)
    assert len(set(few["labels"])) == min(5, len(list(folder.iterdir())))


def test_images_become_flat_frames_where_the_network_takes_them(workspace: Workspace, tmp_path: Path) -> None:
    image_folder(tmp_path / "images")
    found = made(read(workspace, tmp_path, 'samples = "images"', model=DIGITS / "digits_w4a4.onnx"), tmp_path)
    assert found["inputs"].shape == (20, 64)


def test_values_are_scaled_as_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    images, _ = frames()
    np.save(tmp_path / "inputs.npy", images * 2 + 3)
    found = made(read(workspace, tmp_path, 'samples = "inputs.npy"', "scale = 1.0\nmean = [3]\nstd = [2]"), tmp_path)
    assert (found["inputs"][:, 0] == images).all()
    refused = read(workspace, tmp_path, 'samples = "inputs.npy"', "mean = [1, 2, 3]")
    assert refused.failure is not None
    assert "mean has 3 numbers, but a frame has 1 channel(s)" in refused.failure.message


def test_frames_are_drawn_where_none_are_given(workspace: Workspace, tmp_path: Path) -> None:
    result = read(workspace, tmp_path, "", "drawn_frames = 100")
    found = made(result, tmp_path)
    assert set(found) == {"inputs"}
    assert set(np.unique(found["inputs"])) == set(range(16))
    assert result.steps[0].record["drawn"] is True


def spoil(folder: Path, how: str) -> str:
    """Samples that cannot be used; returns the lines of [quality]."""
    image = frames()[0][0]
    images = image_folder(folder / "images")
    first = sorted(images.iterdir())[0]
    path = {
        "cut": first / "x.png",
        "text": first / "x.png",
        "larger": first / "x.pgm",
        "alpha": first / "x.png",
        "sound": first / "x.wav",
        "stray": images / "x.png",
        "bright": first / "x.pgm",
    }.get(how)
    content = {
        "cut": png(image)[:50],
        "text": b"no image",
        "larger": pgm(np.zeros((9, 8), dtype=np.uint8)),
        "alpha": png(np.zeros((8, 8, 2), dtype=np.uint8), 4),
        "sound": b"RIFF",
        "stray": png(image),
        "bright": pgm(np.full((8, 8), 200, dtype=np.uint8)),
    }.get(how)
    if path is not None and content is not None:
        path.write_bytes(content)
    if how == "empty class":
        (images / "class-none").mkdir()
        (images / "class-none" / ".keep").touch()  # a folder without files does not come through the store
    if how == "empty folder":
        (folder / "empty").mkdir()
        return 'samples = "empty"'
    if how == "labels beside images":
        np.save(folder / "labels.npy", np.zeros(20))
        return 'samples = "images"\nlabels = "labels.npy"'
    if how == "labels alone":
        np.save(folder / "labels.npy", np.zeros(20))
        return 'labels = "labels.npy"'
    if how == "cut npz":
        (folder / "cut.npz").write_bytes((CONV / "heldout.npz").read_bytes()[:900])
        return 'samples = "cut.npz"'
    if how == "other size":
        np.savez(folder / "other.npz", inputs=np.zeros((3, 9, 9)))
        return 'samples = "other.npz"'
    return 'samples = "images"'


@pytest.mark.parametrize(
    ("how", "needles"),
    [
        ("cut", ["samples/class-0/x.png", "cannot be read"]),
        ("text", ["samples/class-0/x.png", "not a readable image"]),
        ("larger", ["samples/class-0/x.pgm", "8 x 9", "8 x 8", "resized"]),
        ("alpha", ["samples/class-0/x.png", "mode LA", "without alpha"]),
        ("sound", ["samples/class-0/x.wav", ".png"]),
        ("stray", ["samples/x.png", "must be in one of them"]),
        ("bright", ["holds 200; the model takes UINT4"]),
        ("empty class", ["samples/class-none", "contains no image"]),
        ("empty folder", ["neither images"]),
        ("labels beside images", ["quality.labels", "subfolders"]),
        ("labels alone", ["quality.labels", "quality.samples is not"]),
        ("cut npz", ["samples", "damaged"]),
        ("other size", ["[9, 9]", "[1, 8, 8]"]),
    ],
)
def test_what_does_not_fit_is_named_with_file_and_reason(
    workspace: Workspace, tmp_path: Path, how: str, needles: list[str]
) -> None:
    result = read(workspace, tmp_path, spoil(tmp_path, how))
    assert result.failure is not None
    assert result.failure.category == "config"
    for needle in needles:
        assert needle in result.failure.message
