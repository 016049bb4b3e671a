"""What differs between two locks, key by key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bskernel.lock.build_lock import BuildLock, LockedStep

ABSENT = "absent"
_LONGEST = 100  # characters of a value


class KeyDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A dotted key, its value on one side, and what it is now. Values are shown as JSON, shortened."""

    key: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.key}: was {self.was}, is {self.now}"


def compare_locks(was: BuildLock, now: BuildLock) -> tuple[KeyDifference, ...]:
    """Every key that decides bytes and differs, in the order of the file. The release of bskernel is not one.

    An executor that has another digest is named with the parts that make the difference.
    """
    return compare_values(_decisive(was), _decisive(now))


def compare_values(was: Any, now: Any) -> tuple[KeyDifference, ...]:
    """Every key of two JSON values whose value differs; a key that one side lacks is absent there."""
    return tuple(_differences(was, now))


def _decisive(lock: BuildLock) -> dict[str, Any]:
    """The lock's values, each step under its name: an inserted step must not shift all that follow."""
    data: dict[str, Any] = msgspec.to_builtins(lock)
    del data["bskernel"]
    data["flow"] = {name: step for name, step in zip(_names(lock.flow), data["flow"], strict=True)}  # noqa: C416
    data["flow"][""] = [step.name for step in lock.flow]
    return data


def _names(steps: tuple[LockedStep, ...]) -> list[str]:
    return [step.name for step in steps]


def _differences(was: Any, now: Any, key: str = "") -> Iterator[KeyDifference]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*was, *now)):
            inner = _joined(key, name)
            if name not in was or name not in now:
                yield KeyDifference(key=inner, was=_shown(was, name), now=_shown(now, name))
            else:
                yield from _differences(was[name], now[name], inner)
    elif was != now:
        yield KeyDifference(key=key, was=_text(was), now=_text(now))


def _joined(key: str, name: str) -> str:
    if not name:
        return key  # the order of the steps
    if not key:
        return name
    return f'{key}."{name}"' if "." in name else f"{key}.{name}"


def _shown(side: Mapping[str, Any], name: str) -> str:
    return _text(side[name]) if name in side else ABSENT


def _text(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def with_executor(was: BuildLock, now: BuildLock, executor: str) -> BuildLock:
    """The lock `was` with one executor as it is in `now`, in whatever version; everything else stays.

    `executor` is a name without version. A step of that executor gets its version.
    """
    kept = {key: parts for key, parts in was.executors.items() if key.partition("@")[0] != executor}
    taken = {key: parts for key, parts in now.executors.items() if key.partition("@")[0] == executor}
    versions = {step.name: step.executor for step in now.flow if step.executor in taken}
    steps = tuple(
        msgspec.structs.replace(step, executor=versions[step.name])
        if step.executor.partition("@")[0] == executor and step.name in versions
        else step
        for step in was.flow
    )
    return msgspec.structs.replace(was, executors=dict(sorted({**kept, **taken}.items())), flow=steps)
