"""The entry `samples`: turn frames of any supported form into one npz."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.qonnx_transform.images import find_image_shape, find_images, read_image
from bskernel_executors.quality.layout import Layout, arrange_frames
from bskernel_executors.quality.network import Network, UnsupportedNetwork
from bskernel_executors.quality.samples import (
    Samples,
    draw_frames,
    fit_frames,
    make_no_samples,
    make_samples,
    read_samples,
    write_samples,
)
from bskernel_executors.sdk import Step, StepFailure, parameter


class SamplesParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `samples`."""

    limit: Annotated[
        int | None,
        parameter(
            "use only the first samples; of images, equally many per class",
            unit="frames",
            default_from="quality.limit",
        ),
    ] = None
    drawn_frames: Annotated[int, parameter("frames to draw if there are no samples", unit="frames")] = 8
    layout: Annotated[
        Layout, parameter("how arrays are stored, and how the model takes images; auto: as the shapes prove")
    ] = "auto"
    scale: Annotated[float, parameter("factor; frames are values * scale, minus mean, divided by std")] = 1.0
    mean: Annotated[tuple[float, ...], parameter("subtracted after scaling: one number, or one per channel")] = (0.0,)
    std: Annotated[tuple[float, ...], parameter("divisor at the end: one number, or one per channel")] = (1.0,)

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("drawn_frames", self.drawn_frames)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, but must be at least 1")
        if not self.mean or not self.std or 0 in self.std:
            raise ValueError("mean and std need at least one number each, and std must not be 0")


def write_step_samples(step: Step[SamplesParameters]) -> None:
    """Write the artifact and record its size."""
    params = step.params
    given, labels = step.input("samples"), step.input("labels")
    transposed = None
    try:
        network = Network(step.required_input("model"))
    except UnsupportedNetwork as error:
        if given is not None:
            raise
        write_samples(make_no_samples(), step.output("samples"))
        text = f"the network will NOT BE VERIFIED: {error.failure.message}"
        step.record({"frames": 0, "summary": [{"label": "warning", "value": text, "note": step.name}]})
        return
    if given is None:
        if labels is not None:
            raise StepFailure(category="config", message="quality.labels is set, but quality.samples is not")
        samples = Samples(draw_frames(params.drawn_frames, network.frame, network.datatype))
    else:
        found = _read(given, labels, network.frame, params)
        count = params.limit or len(found.inputs)
        found = Samples(
            found.inputs[:count], found.labels[:count] if found.labels is not None else None, found.classes
        )
        arranged, layout = found.inputs, params.layout
        if not given.is_dir() or (given / "inputs.npy").exists():
            arranged, transposed = arrange_frames(arranged, network.frame, layout, "samples")
            layout = "auto"
        scaled = _scale(arranged, network.frame, params, layout)
        samples = found._replace(inputs=fit_frames(scaled, network.frame, network.datatype, "samples"))
    write_samples(samples, step.output("samples"))
    facts: dict[str, Any] = {
        "frames": len(samples.inputs),
        "drawn": given is None,
        "labelled": samples.labels is not None,
    }
    if samples.classes:
        facts["classes"] = list(samples.classes)
    if transposed is not None:
        facts["transposed"] = transposed
        facts["summary"] = [{"label": "samples", "value": "transposed", "note": transposed}]
    step.record(facts)


def _read(path: Path, labels: Path | None, frame: tuple[int, ...], params: SamplesParameters) -> Samples:
    if path.is_dir():
        if (path / "inputs.npy").exists():
            inside = path / "labels.npy"
            return _pair(path / "inputs.npy", labels or (inside if inside.exists() else None), "samples/inputs.npy")
        if labels is not None:
            raise StepFailure(
                category="config",
                message="quality.labels is set, but the labels of a folder of images are its subfolders",
            )
        return _from_images(path, frame, params)
    if labels is not None or _is_npy(path):
        return _pair(path, labels, "samples")
    return read_samples(path)


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == b"\x93NUMPY"


def _array(path: Path, name: str) -> Any:
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise StepFailure(category="config", message=f"{name} is not an npy file, or is damaged: {error}") from error
    if not isinstance(array, np.ndarray):
        raise StepFailure(
            category="config", message=f"{name} is an npz file, but an npy file with one array is expected"
        )
    return array


def _pair(inputs: Path, labels: Path | None, name: str) -> Samples:
    return make_samples(_array(inputs, name), None if labels is None else _array(labels, "labels"), name)


def _from_images(folder: Path, frame: tuple[int, ...], params: SamplesParameters) -> Samples:
    import numpy as np

    shape, found = find_image_shape(frame, params.layout), find_images(folder)
    if not found.paths:
        raise StepFailure(
            category="config",
            message="samples is a folder with neither images nor inputs.npy",
            hint="make one subfolder per class and put its images there",
        )
    paths = found.paths[: params.limit]
    frames = [read_image(path, folder, shape) for path in paths]
    for path, values in zip(paths, frames, strict=True):
        if values.size != math.prod(frame):
            raise StepFailure(
                category="config",
                message=f"samples/{path.relative_to(folder)} has {values.size} pixels, "
                f"but the model takes {math.prod(frame)}: images are not resized",
            )
    labels = None if found.labels is None else np.array(found.labels[: len(paths)])
    stacked = np.stack([values.reshape(frame) for values in frames])
    return make_samples(stacked, labels, "samples", found.classes)


def _scale(inputs: Any, frame: tuple[int, ...], params: SamplesParameters, layout: Layout) -> Any:
    """Compute (values * scale - mean) / std, with one number for all channels or one per channel."""
    import numpy as np

    if params.scale == 1 and params.mean == (0.0,) and params.std == (1.0,):
        return inputs

    def spread(values: tuple[float, ...], name: str) -> Any:
        if len(values) == 1:
            return values[0]
        shape = find_image_shape(frame, layout)
        if len(frame) != 3 or len(values) != shape.channels:
            raise StepFailure(
                category="config",
                message=f"{name} has {len(values)} numbers, but a frame has {shape.channels} channel(s)",
            )
        return np.array(values).reshape((-1, 1, 1) if shape.channels_first else (1, 1, -1))

    values = (inputs * params.scale - spread(params.mean, "mean")) / spread(params.std, "std")
    return values.astype(np.float32)
