"""Frames from a folder of images, one subfolder for each class."""

from __future__ import annotations

from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from bskernel_executors.sdk import StepFailure

Layout: TypeAlias = Literal["auto", "NCHW", "NHWC"]
_CHANNELS = {"L": 1, "I;16": 1, "I;16B": 1, "I": 1, "RGB": 3}
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp"})


class ImageShape(NamedTuple):
    """What images a frame is made of."""

    channels: int
    height: int | None  # None: only the number of pixels is known, as of frames that are flat
    width: int | None
    channels_first: bool


class Found(NamedTuple):
    """Images in the order in which they become frames: each class in turn, so that the first few are of many."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...] | None
    classes: tuple[str, ...]


def image_shape(frame: tuple[int, ...], layout: Layout) -> ImageShape:
    """What images fit a frame. Raises StepFailure (config) when the frame is no image or the layout is open."""
    if len(frame) == 3:
        first, last = frame[0] in {1, 3}, frame[-1] in {1, 3}
        if layout == "auto" and first and last and frame[0] != frame[-1]:
            raise StepFailure(
                category="config",
                message=f"samples: a frame of {list(frame)} may have its channels first or last",
                hint='set the parameter layout = "NCHW" or "NHWC"',
            )
        if layout == "NCHW" or (layout == "auto" and first):
            return ImageShape(frame[0], frame[1], frame[2], True)
        return ImageShape(frame[2], frame[0], frame[1], False)
    sizes = [size for size in frame if size != 1]
    if len(sizes) == 2:
        return ImageShape(1, sizes[0], sizes[1], True)
    if len(sizes) == 1:
        return ImageShape(1, None, None, True)
    raise StepFailure(
        category="config",
        message=f"samples is a folder of images, and the model takes {list(frame)}, which is no image",
        hint="give an npz file with an array `inputs`",
    )


def find_images(folder: Path) -> Found:
    """The images of a folder. Raises StepFailure (config) naming what is no image."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders, files = [path for path in entries if path.is_dir()], [path for path in entries if path.is_file()]
    if folders and files:
        raise _refuse(files[0], folder, "lies beside the classes' folders, in none of them")
    if not folders:
        return Found(tuple(_images(files, folder)), None, ())
    classes = [_images(sorted(path.iterdir()), folder) for path in folders]
    for path, images in zip(folders, classes, strict=True):
        if not images:
            raise _refuse(path, folder, "holds no image")
    numbered = [[(image, label) for image in images] for label, images in enumerate(classes)]
    turns = [pair for pair in chain.from_iterable(zip_longest(*numbered)) if pair is not None]
    return Found(
        tuple(path for path, _ in turns), tuple(label for _, label in turns), tuple(path.name for path in folders)
    )


def _refuse(path: Path, folder: Path, why: str) -> StepFailure:
    return StepFailure(category="config", message=f"samples/{path.relative_to(folder)} {why}")


def _images(paths: list[Path], folder: Path) -> list[Path]:
    seen = [path for path in paths if not path.name.startswith(".")]
    for path in seen:
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            raise _refuse(path, folder, f"is no image: {', '.join(sorted(_SUFFIXES))} are read")
    return seen


def read_image(path: Path, folder: Path, shape: ImageShape) -> Any:
    """One frame's values as the image stores them. Raises StepFailure (config) naming the file and the reason."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            opened.load()
            image = opened
            if image.mode in {"1", "P"}:
                image = image.convert("L" if image.mode == "1" else "RGB")
            mode, (width, height) = image.mode, image.size
            values = np.asarray(image)
    except UnidentifiedImageError:
        raise _refuse(path, folder, "is no image that can be read, or is damaged") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _refuse(path, folder, f"cannot be read: {error}") from error
    if _CHANNELS.get(mode) != shape.channels:
        raise _refuse(path, folder, f"is of mode {mode}; the model takes {shape.channels} channel(s) without alpha")
    if shape.height is not None and (height, width) != (shape.height, shape.width):
        raise _refuse(
            path, folder, f"is {width} x {height}; the model takes {shape.width} x {shape.height}: nothing is resized"
        )
    values = values.reshape(height, width, shape.channels).astype(np.float32)
    return values.transpose(2, 0, 1) if shape.channels_first else values
