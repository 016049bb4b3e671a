"""Lookups of steps' results, which may run several at once and outside the run loop."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.action import Action, ActionResult, action_of
from bskernel.core.interfaces import Store, Wanted
from bskernel.core.step import Step
from bskernel.execution.split_step import ItemStep, split_step
from bskernel.host.lasting_threads import LastingThreads

AT_ONCE = 8  # lookups; each fetches several blobs at once
_threads = LastingThreads()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a lookup has found: a result with its log, or else the items that the step is split into, if any."""

    known: ActionResult | Failure | None = None
    log: bytes = b""
    items: tuple[ItemStep, ...] = ()


class LookedUp(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a lookup that had a thread of its own."""

    step: Step
    found: Found = Found()
    error: Exception | None = None  # to be raised in the deciding thread


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """A question about a step, which any thread may ask the store."""

    step: Step
    action: Action
    inputs: dict[str, Artifact]
    wanted: Wanted
    read_log: bool
    fresh: bool  # nothing is recalled
    salt_of: Callable[[Step], str]

    def find_here(self, store: Store) -> Found | None:
        """The step's result if no other machine need be asked; None if `find` must ask."""
        if self.step.each is not None:
            return None
        known = store.look_up(self.action, self.step.outputs, self.wanted, here=True)
        return None if known is None else self._with_log(known, store)

    def find(self, store: Store) -> Found:
        """Ask the store. Raises ItemsRefused, EnvironmentLacking."""
        items = split_step(self.step, self.inputs, store)
        # Items that are recalled one by one say more than their step does.
        if self.fresh or (items and self._are_known(items, store)):
            return Found(items=items)
        known = store.look_up(self.action, self.step.outputs, self.wanted)
        found = None if known is None else self._with_log(known, store)
        return found or Found(items=items)

    def _with_log(self, known: ActionResult, store: Store) -> Found | None:
        """The result with its log; None if the log turns out to be damaged, since then the cache has lost it."""
        if known.log is None or not self.read_log:
            return Found(known=known)
        log = store.get(known.log)
        return None if log is None else Found(known=known, log=log)

    def _are_known(self, items: tuple[ItemStep, ...], store: Store) -> bool:
        def is_known(item: ItemStep) -> bool:
            action = action_of(item.step, item.inputs, self.salt_of(item.step))
            return store.peek(action, item.step.outputs) is not None

        if store.answers_at_once:
            return all(map(is_known, items))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return all(threads.map(is_known, items))


def begin_lookup(lookup: Lookup, store: Store, ended: Callable[[LookedUp], None]) -> None:
    """Ask the store in a thread, which then calls `ended`."""

    def find() -> None:
        try:
            done = LookedUp(step=lookup.step, found=lookup.find(store))
        except Exception as error:  # noqa: BLE001 - raised again in the deciding thread
            done = LookedUp(step=lookup.step, error=error)
        ended(done)

    _threads.run(find, "lookup")
