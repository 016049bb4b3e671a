"""A blueprint's steps: operations on them, branch points, and the linear paths through them. Pure."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from bskernel.blueprint.model import SKIP, Steps

_SKIPS = (None, SKIP, "")
OPERATIONS = ("after", "before", "replace", "remove", "at_start", "at_end")


def _normal(spec: Any) -> str | tuple[str, ...]:
    """A step or a branch point in the form of Steps. Raises ValueError."""
    if spec in _SKIPS:
        return SKIP
    if isinstance(spec, str):
        return spec
    if not isinstance(spec, list):
        raise ValueError(f"{spec!r} is neither a step nor a list of options")
    options = tuple(SKIP if option in _SKIPS else option for option in spec)
    if not all(isinstance(option, str) for option in options):
        raise ValueError(f"branch point {spec!r}: options are names, not lists")
    if options.count(SKIP) > 1 or not set(options) - {SKIP}:
        raise ValueError(f"branch point {spec!r}: at least one step, and at most one skip")
    return options


def _several(value: Any) -> list[str | tuple[str, ...]]:
    """The steps of `insert` or `with`: a name, or a list of names and branch points."""
    return [_normal(item) for item in value] if isinstance(value, list) else [_normal(value)]


def _matches(step: str | tuple[str, ...], target: str | tuple[str, ...]) -> bool:
    if isinstance(step, tuple) and isinstance(target, tuple):
        return set(step) == set(target)
    return step == target


def _operate(steps: list[str | tuple[str, ...]], operation: dict[str, Any]) -> list[str | tuple[str, ...]]:
    kind = next((key for key in OPERATIONS if key in operation), None)
    if kind is None:
        raise ValueError(f"{operation!r} is not a step operation; choices: {', '.join(OPERATIONS)}")
    known = {kind, {"replace": "with", "after": "insert", "before": "insert"}.get(kind, kind)}
    if unknown := operation.keys() - known:
        raise ValueError(f"operation {kind}: unknown key {sorted(unknown)[0]!r}")
    if kind in {"at_start", "at_end"}:
        inner = operation[kind]
        if not isinstance(inner, dict) or inner.keys() != {"insert"}:
            raise ValueError(f"operation {kind}: write {kind}: {{insert: ...}}")
        added = _several(inner["insert"])
        return added + steps if kind == "at_start" else steps + added
    missing = known - operation.keys()
    if missing:
        raise ValueError(f"operation {kind}: {sorted(missing)[0]!r} is missing")
    target = _normal(operation[kind])
    found: list[str | tuple[str, ...]] = []
    for step in steps:
        if not _matches(step, target):
            found.append(step)
        elif kind == "after":
            found += [step, *_several(operation["insert"])]
        elif kind == "before":
            found += [*_several(operation["insert"]), step]
        elif kind == "replace":
            found += _several(operation["with"])
    return found


def resolve_steps(data: Sequence[Any], parent: Steps) -> tuple[Steps, tuple[str, ...]]:
    """Resolve a file's steps, or its operations on the parent's steps; also returns operations that matched no step.

    Raises ValueError.
    """
    plain = [_normal(item) for item in data if not isinstance(item, dict)]
    steps = plain or list(parent)
    idle = []
    for item in data:
        if isinstance(item, dict):
            kind = next((key for key in OPERATIONS[:4] if key in item), None)
            if kind and not any(_matches(step, _normal(item[kind])) for step in steps):
                idle.append(f"{kind}: {item[kind]}")
            steps = _operate(steps, item)
    return tuple(step for step in steps if step != SKIP), tuple(idle)


def count_paths(steps: Steps) -> int:
    """The number of linear lists of steps."""
    return math.prod(len(step) for step in steps if isinstance(step, tuple))


def paths(steps: Steps) -> Iterator[tuple[str, ...]]:
    """Every linear list of steps, the first options first."""
    options = [step if isinstance(step, tuple) else (step,) for step in steps]
    for choice in itertools.product(*options):
        yield tuple(step for step in choice if step != SKIP)


def _common(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Steps that all lists have in the same order."""
    common = lists[0]
    for other in lists[1:]:
        blocks = difflib.SequenceMatcher(a=common, b=other, autojunk=False).get_matching_blocks()
        common = tuple(step for block in blocks for step in common[block.a : block.a + block.size])
    return common


def _gaps(steps: tuple[str, ...], common: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The steps of a list before, between and after the common steps."""
    gaps, at = [], 0
    for step in common:
        end = steps.index(step, at)
        gaps.append(steps[at:end])
        at = end + 1
    return [*gaps, steps[at:]]


def branching(lists: Sequence[tuple[str, ...]]) -> Steps:
    """One list with branch points whose paths are exactly these lists. Raises ValueError if none exists."""
    lists = list(dict.fromkeys(lists))
    common = _common(lists)
    steps: list[str | tuple[str, ...]] = []
    for at, gaps in enumerate(zip(*(_gaps(item, common) for item in lists), strict=True)):
        longest = max(map(len, gaps))
        padded = [gap if len(gap) == longest else (*gap, *[SKIP] * (longest - len(gap))) for gap in gaps]
        for options in zip(*padded, strict=True):
            found = tuple(dict.fromkeys(options))
            steps.append(found if len(found) > 1 else found[0])
        if at < len(common):
            steps.append(common[at])
    result = tuple(steps)
    if count_paths(result) != len(lists) or set(paths(result)) != set(lists):
        raise ValueError("these lists of steps are not all the ways through one list with branch points")
    return result
