"""What a hostile behaviour is, and the list of them all."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_executors.sdk import Step

# "ok": the step does nothing that concerns others, so it succeeds; "failed": it must not; "either": only the rest of
# the promise counts.
End = Literal["ok", "failed", "either"]


class Aims(msgspec.Struct, frozen=True, kw_only=True):
    """What a hostile step aims at."""

    outside: Path  # a folder that is none of its business, with secret.txt, writable.txt and folder/
    port: int  # where somebody listens, on this machine


Act = Callable[[Step[Any], Aims], None]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """One way to misbehave; the step's output is written before."""

    name: str  # MODULE/FUNCTION, or MODULE/FUNCTION-VARIANT
    act: Act
    ends: End
    timeout_s: float | None  # of the step
    memory_mib: int | None


BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(
    ends: End = "either",
    *,
    timeout_s: float | None = 30,
    memory_mib: int | None = None,
    variants: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the decorated function to the list; with `variants`, once for each, with its value as third argument."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        base = f"{function.__module__.rpartition('.')[2]}/{function.__name__.replace('_', '-')}"
        acts: dict[str, Act] = (
            {base: function}
            if variants is None
            else {f"{base}-{key}": functools.partial(_act, function, value) for key, value in variants.items()}
        )
        for name, act in acts.items():
            if name in BEHAVIOURS:
                raise ValueError(f"two behaviours are called {name}")
            BEHAVIOURS[name] = Behaviour(name=name, act=act, ends=ends, timeout_s=timeout_s, memory_mib=memory_mib)
        return function

    return add


def _act(function: Callable[..., None], value: Any, step: Step[Any], aims: Aims) -> None:
    function(step, aims, value)
