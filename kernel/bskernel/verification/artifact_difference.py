"""What differs between two artifacts, in their own terms: keys of JSON, nodes of a network, lines of text."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec

from bskernel.lock.differences import compare_values
from bskernel.result.output_folder import files_below
from bskernel.verification.model_summary import summarize_model
from bskernel.workspace.onnx_file import OnnxDamage

_LARGEST = 64 << 20  # bytes of a file that is compared by its content
_LINES = 30  # of one file
_FILES = 5  # of a folder, whose differences are shown
_DIFFOSCOPE_S = 120


def describe_difference(was: Path, now: Path) -> tuple[str, ...]:
    """The differences between two files or folders as lines, the first of many."""
    if was.is_dir() and now.is_dir():
        return tuple(_folders(was, now))
    return tuple(_cut(_files(was, now)))


def _folders(was: Path, now: Path) -> Iterable[str]:
    old, new = ({str(path.relative_to(top)) for path in files_below(top)} for top in (was, now))
    yield from (f"{name}: only in the published build" for name in sorted(old - new)[:_LINES])
    yield from (f"{name}: only in the second build" for name in sorted(new - old)[:_LINES])
    changed = [name for name in sorted(old & new) if (was / name).read_bytes() != (now / name).read_bytes()]
    for name in changed[:_FILES]:
        yield f"{name}:"
        yield from (f"  {line}" for line in _cut(_files(was / name, now / name)))
    if len(changed) > _FILES:
        yield f"and {len(changed) - _FILES} more files: {', '.join(changed[_FILES : _FILES + _LINES])}"


def _cut(lines: Iterable[str]) -> Iterable[str]:
    shown = list(islice(lines, _LINES + 1))
    return shown if len(shown) <= _LINES else [*shown[:_LINES], "and more"]


def _files(was: Path, now: Path) -> Iterable[str]:
    if max(was.stat().st_size, now.stat().st_size) > _LARGEST:
        return _bytes(was, now)
    for compare in (_as_models, _as_json, _as_text, _by_diffoscope):
        found = compare(was, now)
        if found:
            return found
    return _bytes(was, now)


def _as_models(was: Path, now: Path) -> tuple[str, ...]:
    try:
        return tuple(str(found) for found in compare_values(summarize_model(was), summarize_model(now)))
    except (OnnxDamage, OSError, ValueError):
        return ()


def _as_json(was: Path, now: Path) -> tuple[str, ...]:
    try:
        old, new = (msgspec.json.decode(path.read_bytes()) for path in (was, now))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(str(found) for found in compare_values(old, new))


def _as_text(was: Path, now: Path) -> tuple[str, ...]:
    try:
        old, new = (path.read_text(encoding="utf-8").splitlines() for path in (was, now))
    except UnicodeDecodeError:
        return ()
    return tuple(difflib.unified_diff(old, new, "published", "second", lineterm="", n=1))


def _by_diffoscope(was: Path, now: Path) -> tuple[str, ...]:
    """What diffoscope says, where it is installed."""
    program = shutil.which("diffoscope")
    if program is None:
        return ()
    try:
        done = subprocess.run(
            [program, "--text", "-", was, now], capture_output=True, text=True, check=False, timeout=_DIFFOSCOPE_S
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ()
    return tuple(done.stdout.splitlines())


def _bytes(was: Path, now: Path) -> tuple[str, ...]:
    size = f"{was.stat().st_size:,} bytes, then {now.stat().st_size:,}"
    at = 0
    with was.open("rb") as old, now.open("rb") as new:
        while (left := old.read(1 << 20)) == (right := new.read(1 << 20)) and left:
            at += len(left)
    at += next(
        (here for here, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    return (f"{size}; the first that differs is byte {at:,}",)
