"""Machine paths in models and generated files: a fixed token when an artifact is made, the real path when it is used.

FINN and what is built on it keep absolute paths in node attributes, model metadata and generated files. A path in a
binary file stays as it is: one of another length would spoil the file, and an output that holds it is refused.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

_LOOKED_AT = 8192  # bytes; a text has no NUL among them


def relocate_proto(model: Any, old: str, new: str) -> None:
    """Replace a path in an ONNX model's node attributes and metadata, in place."""
    for entry in model.metadata_props:
        entry.value = entry.value.replace(old, new)
    _relocate_graph(model.graph, old.encode(), new.encode())


def _relocate_graph(graph: Any, old: bytes, new: bytes) -> None:
    for node in graph.node:
        for entry in getattr(node, "metadata_props", ()):
            entry.value = entry.value.replace(old.decode(), new.decode())
        for attribute in node.attribute:
            if old in attribute.s:
                attribute.s = attribute.s.replace(old, new)
            for index, value in enumerate(attribute.strings):
                if old in value:
                    attribute.strings[index] = value.replace(old, new)
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _relocate_graph(inner, old, new)


def relocate_model(source: Path, target: Path, old: str, new: str) -> None:
    """Copy an ONNX file with a path replaced; bytes are the same for the same model."""
    import onnx

    model = onnx.load_model_from_string(source.read_bytes())
    relocate_proto(model, old, new)
    target.write_bytes(model.SerializeToString(deterministic=True))


def relocate_tree(source: Path, target: Path, old: str, new: str) -> tuple[Path, ...]:
    """Copy a tree with a path replaced in every text and model; the binary files of the copy that still hold it."""
    shutil.copytree(source, target, symlinks=True)
    return relocate_files(target, old, new)


def relocate_files(target: Path, old: str, new: str) -> tuple[Path, ...]:
    """Replace a path in every text and model of a tree, in place; the binary files that still hold it."""
    binary = []
    for path in sorted(target.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if old.encode() not in data:
            continue
        if path.suffix != ".onnx" and b"\0" in data[:_LOOKED_AT]:
            binary.append(path)
            continue
        path.chmod(path.stat().st_mode | 0o200)
        if path.suffix == ".onnx":
            relocate_model(path, path, old, new)
        else:
            path.write_bytes(data.replace(old.encode(), new.encode()))
    return tuple(binary)
