"""Read frames from a folder of images with one subfolder per class."""

from __future__ import annotations

from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from bskernel_executors.quality.layout import Layout
from bskernel_executors.sdk import StepFailure

_CHANNELS = {"L": 1, "I;16": 1, "I;16B": 1, "I": 1, "RGB": 3}
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp"})


class ImageShape(NamedTuple):
    """The shape of the images that frames are made from."""

    channels: int
    height: int | None  # None: only the number of pixels is known, because the frames are flat
    width: int | None
    channels_first: bool


class LabelledImages(NamedTuple):
    """Images in the order of frames: classes take turns, so that even a few frames cover many classes."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...] | None
    classes: tuple[str, ...]


def find_image_shape(frame: tuple[int, ...], layout: Layout) -> ImageShape:
    """Find the image shape that fits a frame. Raises StepFailure (config) when no shape, or more than one, fits."""
    if len(frame) == 3:
        first, last = frame[0] in {1, 3}, frame[-1] in {1, 3}
        if layout == "auto" and first and last and frame[0] != frame[-1]:
            raise StepFailure(
                category="config",
                message=f"samples: a frame of {list(frame)} could have its channels first or last",
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
        message=f"samples is a folder of images, but the model takes {list(frame)}, which is not an image",
        hint="give an npz file with an array `inputs`",
    )


def find_images(folder: Path) -> LabelledImages:
    """Find the images of a folder. Raises StepFailure (config) for a file that is not an image."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders, files = [path for path in entries if path.is_dir()], [path for path in entries if path.is_file()]
    if folders and files:
        raise _refuse(files[0], folder, "is beside the folders of the classes, but must be in one of them")
    if not folders:
        return LabelledImages(tuple(_images(files, folder)), None, ())
    classes = [_images(sorted(path.iterdir()), folder) for path in folders]
    for path, images in zip(folders, classes, strict=True):
        if not images:
            raise _refuse(path, folder, "contains no image")
    numbered = [[(image, label) for image in images] for label, images in enumerate(classes)]
    turns = [pair for pair in chain.from_iterable(zip_longest(*numbered)) if pair is not None]
    return LabelledImages(
        tuple(path for path, _ in turns), tuple(label for _, label in turns), tuple(path.name for path in folders)
    )


def _refuse(path: Path, folder: Path, why: str) -> StepFailure:
    return StepFailure(category="config", message=f"samples/{path.relative_to(folder)} {why}")


def _images(paths: list[Path], folder: Path) -> list[Path]:
    seen = [path for path in paths if not path.name.startswith(".")]
    for path in seen:
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            raise _refuse(path, folder, f"is not an image with one of the suffixes {', '.join(sorted(_SUFFIXES))}")
    return seen


def read_image(path: Path, folder: Path, shape: ImageShape) -> Any:
    """Read one frame, with the values that the image stores. Raises StepFailure (config) with file and reason."""
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
        raise _refuse(path, folder, "is not a readable image, or is damaged") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _refuse(path, folder, f"cannot be read: {error}") from error
    if _CHANNELS.get(mode) != shape.channels:
        raise _refuse(path, folder, f"has mode {mode}, but the model takes {shape.channels} channel(s) without alpha")
    if shape.height is not None and (height, width) != (shape.height, shape.width):
        raise _refuse(
            path,
            folder,
            f"is {width} x {height}, but the model takes {shape.width} x {shape.height}: images are not resized",
        )
    values = values.reshape(height, width, shape.channels).astype(np.float32)
    return values.transpose(2, 0, 1) if shape.channels_first else values
