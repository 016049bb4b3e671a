"""The keys of build.toml as --set takes them, and the values that some of them choose from."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from bskernel.config import Config
from bskernel.images import load_executors, recipes_here

_ELSEWHERE = frozenset({"sweep", "step"})  # a sweep's keys are not for --set; steps depend on the flow


def keys(incomplete: str) -> Iterator[str]:
    """The dotted keys that begin so, to the depth at which names are the user's."""
    yield from (key for key in _fields(Config) if key.partition(".")[0] not in _ELSEWHERE)
    if incomplete.startswith("executors."):
        yield from (f"executors.{name}" for name in _executors().names())
    if incomplete.startswith("parameters."):
        executors = _executors()
        executor = incomplete.split(".")[1]
        yield from (f"parameters.{name}." for name in executors.names() if name != executor)
        for info in executors.known:
            if info.name == executor:
                names = {parameter.name for entry in info.catalogue.entries for parameter in entry.parameters}
                yield from (f"parameters.{executor}.{name}" for name in sorted(names))


def values(key: str) -> Iterator[str]:
    """The values that a key chooses from; none where any is possible."""
    if key == "build.flow":
        from bskernel.flow.loader import flow_names

        yield from flow_names()
    elif key == "target.board":
        yield from sorted({board for info in _executors().known for board in info.catalogue.boards})
    elif key == "build.backend":
        from bskernel.workspace.backend import load_backends

        yield from ("auto", *(backend.name for backend in load_backends()))
    elif key.startswith("executors."):
        yield from (info.version for info in _executors().known if info.name == key.partition(".")[2])
    else:
        yield from dict(_typed(Config)).get(key, ())


def _executors() -> Any:
    return load_executors(recipes_here())


def _fields(type_: type[msgspec.Struct]) -> Iterator[str]:
    yield from (key for key, _ in _typed(type_))


def _typed(type_: type[msgspec.Struct], start: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The dotted keys of a table, each with the literal values that it takes."""
    for field in msgspec.structs.fields(type_):
        key = f"{start}{field.encode_name}"
        inner = [
            kind for kind in _alternatives(field.type) if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        ]
        if inner:
            yield from _typed(inner[0], f"{key}.")
        elif any(get_origin(kind) is dict for kind in _alternatives(field.type)):
            yield f"{key}.", ()
        else:
            yield key, _literals(field.type)


def _alternatives(type_: Any) -> tuple[Any, ...]:
    return get_args(type_) if get_origin(type_) in {Union, UnionType} else (type_,)


def _literals(type_: Any) -> tuple[str, ...]:
    found: list[str] = []
    for kind in _alternatives(type_):
        if get_origin(kind) is Literal:
            found += map(str, get_args(kind))
        elif kind is bool:
            found += ["true", "false"]
    return tuple(found)
