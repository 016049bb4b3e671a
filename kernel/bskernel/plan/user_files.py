"""What planning asks about files of the user. Pure: the answers come from whoever may look at the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bskernel_protocol import ArtifactKind

ONNX, JSON = "application/x-onnx", "application/json"  # media types that planning checks


class UserFiles(Protocol):
    """The files of the user, as planning sees them."""

    def kind_of(self, path: Path) -> ArtifactKind | None:
        """The kind of artifact at a path; None if nothing is there."""

    def check(self, path: Path, media_type: str, where: str) -> None:
        """Raise ConfigError, prefixed by `where`, for a file that has not the form of its media type."""

    def external_data(self, model: Path, where: str) -> tuple[str, ...]:
        """The files in which an ONNX model keeps tensors, relative to its folder, in order.

        Raises ConfigError, prefixed by `where`, when one is missing or outside the folder.
        """
