"""Check that a step's outputs are as declared and contain no path of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bskernel_protocol import Failure, OutputDescription


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            yield Path(folder, name)


def _violation(message: str, hint: str | None = None, cause: tuple[str, ...] = ()) -> Failure:
    return Failure(category="executor", message=message, hint=hint, cause=cause)


def check_outputs(out: Path, declared: Iterable[OutputDescription], forbidden: Iterable[Path]) -> Failure | None:
    """Return the first violation among the outputs under `out`, or None.

    `forbidden` are folders whose paths must not occur in any file, because they mean nothing on another machine.
    """
    known = {output.name: output for output in declared}
    for path in sorted(out.iterdir()):
        output = known.get(path.name)
        if output is None:
            return _violation(
                f"the step wrote the output {path.name!r}, which its entry does not declare",
                f"declared outputs: {', '.join(sorted(known)) or 'none'}",
            )
        if path.is_symlink() or (output.kind == "file") != path.is_file():
            return _violation(f"the output {path.name!r} is not a {output.kind}, as its entry declares")
    missing = [name for name, output in known.items() if output.required and not (out / name).exists()]
    if missing:
        return _violation(f"the step wrote no output {missing[0]!r}, which its entry declares")
    needles = [os.fsencode(path) for path in forbidden]
    for path in _files(out):
        if path.is_symlink():
            if not path.resolve().is_relative_to(out.resolve()):
                return _violation(f"out/{path.relative_to(out)} links to {path.readlink()}, outside its output")
            continue
        data = path.read_bytes()
        for needle in needles:
            at = data.find(needle)
            if at >= 0:
                excerpt = data[max(0, at - 40) : at + len(needle) + 60].decode("utf-8", "replace")
                return _violation(
                    f"out/{path.relative_to(out)} contains a path of this machine",
                    "an artifact must not depend on where it was made; write paths relative to the output",
                    (excerpt,),
                )
    return None
