"""Find the branch of a design that keeps a join waiting. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bskernel_executors.exchange.design import Design, Stream


@dataclass(frozen=True, kw_only=True)
class Blockage:
    """A deadlock between two branches: the join waits for one, the fork for room in the other."""

    fork: str
    join: str
    full: tuple[str, ...]  # FIFOs on the branch that is full, from fork to join
    late: tuple[str, ...]  # layers on the branch that the join waits for


def _find_reached(streams: Sequence[Stream], start: Stream, *, backwards: bool) -> set[str]:
    """Find the layers that lead to a stream, or those that it leads to."""
    found: set[str] = set()
    waiting = [start.source if backwards else start.sink]
    while waiting:
        layer = waiting.pop()
        if layer is None or layer in found:
            continue
        found.add(layer)
        waiting += [
            stream.source if backwards else stream.sink
            for stream in streams
            if layer == (stream.sink if backwards else stream.source)
        ]
    return found


def find_blockage(design: Design, states: Sequence[str]) -> Blockage | None:
    """Find the first join with a value at one input and none at another; `states` are valid and ready by stream.

    Layers are in an order in which streams flow, so the last fork that leads to both inputs is the nearest one.
    """
    state = dict(zip((stream.name for stream in design.streams), states, strict=True))
    fifos = {fifo.name for fifo in design.fifos}
    order = {layer: at for at, layer in enumerate(design.layers)}
    for join in design.layers:
        taken = [stream for stream in design.streams if stream.sink == join]
        full = next((stream for stream in taken if state[stream.name] == "10"), None)
        late = next((stream for stream in taken if state[stream.name][0] == "0"), None)
        if full is None or late is None:
            continue
        before, missing = (_find_reached(design.streams, stream, backwards=True) for stream in (full, late))
        if not before & missing:
            continue
        fork = max(before & missing, key=order.__getitem__)
        ways = [stream for stream in design.streams if stream.source == fork]
        after = set().union(*(_find_reached(design.streams, stream, backwards=False) for stream in ways))
        one, other = (sorted(reached & after, key=order.__getitem__) for reached in (before, missing))
        return Blockage(
            fork=fork,
            join=join,
            full=tuple(layer for layer in one if layer in fifos),
            late=tuple(layer for layer in other if layer not in fifos),
        )
    return None


def list_depths(depths: Mapping[str, int], names: Sequence[str]) -> str:
    """List FIFOs with their depths, as messages name them."""
    return ", ".join(f"{name} (depth {depths[name]})" for name in names)
