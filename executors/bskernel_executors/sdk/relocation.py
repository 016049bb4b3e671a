"""Replace paths of this machine in models and generated files by fixed tokens, and tokens by paths.

FINN and what is built on it keep absolute paths in node attributes, model metadata and generated files. An artifact
holds tokens instead; the step that takes it puts the real paths back. A path in a binary file stays as it is, since a
token of another length would corrupt the file; an output that contains it is refused (see `outputs`).

A path that an input holds already is no path of the step but a text of the user's, e.g. metadata of a model that was
exported on this machine. It is set aside while the step runs, so that the output holds it unchanged, on any machine.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

Moves: TypeAlias = Sequence[tuple[str, str]]  # (old, new) pairs, applied in order
_SNIFFED = 8192  # bytes at the start of a file; one with a NUL among them is binary


def _set_aside(token: str) -> str:
    """Make the text that stands for a path of the user's. It does not contain the token."""
    return f"{token.removesuffix('@')}-of-input@"


def moves_to_here(places: Moves) -> Moves:
    """Return the moves of a step's inputs. `places` are pairs of a path of this machine and its token."""
    own = [(here, _set_aside(token)) for here, token in _longest_first(places)]
    return own + [(token, here) for here, token in places]


def moves_from_here(places: Moves) -> Moves:
    """Return the moves of a step's outputs, which undo those of its inputs."""
    return _longest_first(places) + [(_set_aside(token), here) for here, token in places]


def _longest_first(places: Moves) -> list[tuple[str, str]]:
    return sorted(places, key=lambda place: -len(place[0]))


def _moved(data: bytes, moves: Moves) -> bytes:
    for old, new in moves:
        data = data.replace(old.encode(), new.encode())
    return data


def relocate_proto(model: Any, moves: Moves) -> None:
    """Replace paths in an ONNX model's node attributes and metadata, in place."""
    _relocate_entries(model.metadata_props, moves)
    _relocate_graph(model.graph, moves)


def _relocate_entries(entries: Any, moves: Moves) -> None:
    for entry in entries:
        entry.value = _moved(entry.value.encode(), moves).decode()


def _relocate_graph(graph: Any, moves: Moves) -> None:
    _relocate_entries(getattr(graph, "metadata_props", ()), moves)
    for node in graph.node:
        _relocate_entries(getattr(node, "metadata_props", ()), moves)
        for attribute in node.attribute:
            if attribute.s:
                attribute.s = _moved(attribute.s, moves)
            for index, value in enumerate(attribute.strings):
                attribute.strings[index] = _moved(value, moves)
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _relocate_graph(inner, moves)


def read_model(source: Path, moves: Moves) -> Any:
    """Read an ONNX file, with paths replaced."""
    return _read(source.read_bytes(), moves)


def _read(data: bytes, moves: Moves) -> Any:
    import onnx

    model = onnx.load_model_from_string(data)
    # Strings are stored verbatim in the file, so a search of its bytes spares most models the walk.
    if _moved(data, moves) != data:
        relocate_proto(model, moves)
    return model


def write_model(model: Any, target: Path, moves: Moves) -> None:
    """Write an ONNX model, which stays as it is, with paths replaced. Equal models give equal bytes."""
    import onnx

    data = model.SerializeToString(deterministic=True)
    if _moved(data, moves) != data:
        model = onnx.load_model_from_string(data)
        relocate_proto(model, moves)
        data = model.SerializeToString(deterministic=True)
    target.write_bytes(data)


def relocate_model(source: Path, target: Path, moves: Moves) -> None:
    """Copy an ONNX file with paths replaced. Equal models give equal bytes."""
    write_model(read_model(source, moves), target, ())


def relocate_tree(source: Path, target: Path, moves: Moves) -> tuple[Path, ...]:
    """Copy a tree with paths replaced in every text and model; return its binary files that still contain one."""
    binary: list[Path] = []

    def copy(name: str, copied: str) -> None:
        path, mode = Path(copied), Path(name).stat().st_mode
        if not stat.S_ISREG(mode):
            raise shutil.SpecialFileError(f"{name} is not a plain file")
        data = Path(name).read_bytes()
        moved = _relocated(path, data, moves)
        path.write_bytes(data if moved is None else moved)
        path.chmod(mode if moved is None or moved is data else mode | 0o200)
        if moved is None:
            binary.append(path)

    # Keeps modes but not times, which are not part of an artifact.
    shutil.copytree(source, target, symlinks=True, copy_function=copy)
    return tuple(sorted(binary))


def relocate_files(target: Path, moves: Moves) -> tuple[Path, ...]:
    """Replace paths in every text and model of a tree, in place; return the binary files that still contain one."""
    binary = []
    # Not by a pattern: each step would compile it again.
    for path in sorted(Path(folder, name) for folder, _, names in os.walk(target) for name in names):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        moved = _relocated(path, data, moves)
        if moved is None:
            binary.append(path)
        elif moved is not data:
            path.chmod(path.stat().st_mode | 0o200)
            path.write_bytes(moved)
    return tuple(binary)


def _relocated(path: Path, data: bytes, moves: Moves) -> bytes | None:
    """The bytes of a file with paths replaced, the same object without any; None for a binary file with one."""
    moved = _moved(data, moves)
    if moved == data:
        return data
    if path.suffix == ".onnx":
        return _read(data, moves).SerializeToString(deterministic=True)  # type: ignore[no-any-return]
    return None if b"\0" in data[:_SNIFFED] else moved
