"""A step with `each` while it runs: its items as steps of their own, and their results as one."""

from __future__ import annotations

import contextlib

import msgspec
from bskernel_protocol import Artifact, Failure, TreeListing, canonical_bytes, decode_document

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import Store
from bskernel.core.items import Item, join_outputs, split_tree
from bskernel.core.runtime_failures import input_lost
from bskernel.core.step import Each, Step
from bskernel.core.step_report import EndedItem, EndedStep


class ItemsRefused(Exception):  # noqa: N818 - reported as a failure of the step
    """A tree that is not made of items, or whose listing is lost."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ItemStep(msgspec.Struct, frozen=True, kw_only=True):
    """One different item: the step that runs for it, with its inputs."""

    item: Item
    step: Step
    inputs: dict[str, Artifact]


class SplitStep(msgspec.Struct, kw_only=True):
    """A step whose items run; `began` in seconds of the monotonic clock."""

    step: Step
    ended: EndedStep  # as far as it is known
    began: float
    items: dict[str, ItemStep]  # by task
    waiting: set[str]  # tasks that have not ended
    results: dict[str, ActionResult] = {}
    ends: dict[str, EndedItem] = {}

    @property
    def with_items(self) -> EndedStep:
        """The step with those of its items that have ended."""
        ends = tuple(self.ends[task] for task in self.items if task in self.ends)
        reports = tuple(end.ended.report for end in ends)
        peak = max((report.peak_mib for report in reports if report.peak_mib is not None), default=None)
        report = msgspec.structs.replace(self.ended.report, items=reports, peak_mib=peak)
        return msgspec.structs.replace(self.ended, report=report, items=ends)

    def end(self, task: str, step: Step, ended: EndedStep, result: ActionResult | None) -> EndedStep:
        """Note how an item has ended; returns it with the names of those that are equal."""
        self.waiting.discard(task)
        report = msgspec.structs.replace(ended.report, equal_items=self.items[task].item.names[1:])
        ended = msgspec.structs.replace(ended, report=report)
        log = result.log if result is not None else None
        kept = msgspec.structs.replace(ended, log=b"") if log is not None else ended
        self.ends[task] = EndedItem(step=step, ended=kept, log=log)
        if result is not None:
            self.results[task] = result
        return ended

    @property
    def failure(self) -> Failure | None:
        """The failure of the first item that failed, with its name."""
        failures = {task: end.ended.report.failure for task, end in self.ends.items()}
        failed = next((task for task in self.items if failures.get(task) is not None), None)
        failure = failures[failed] if failed is not None else None
        if failed is None or failure is None:
            return None
        name, *equal = self.items[failed].item.names
        beside = f" (and {', '.join(equal)}, which has the same content)" if equal else ""
        return msgspec.structs.replace(
            failure, message=f"item {name}{beside}: {failure.message}", facts={**failure.facts, "item": name}
        )

    def join(self, store: Store) -> ActionResult | Failure:
        """The result of the step: its items' outputs as trees, whose listings are stored.

        Without items, each required output is an empty tree.
        """
        made = {name: self.results[task].outputs for task, known in self.items.items() for name in known.item.names}
        lost: list[str] = []

        def listing_of(artifact: Artifact) -> TreeListing:
            listing = _listing(artifact, store)
            if listing is None:
                lost.append(artifact.name)
            return listing or TreeListing(files=())

        listings = join_outputs(made, listing_of)
        if lost:
            return input_lost(lost[0])
        if not self.items:
            listings = {output.name: TreeListing(files=()) for output in self.step.outputs if output.required}
        outputs = tuple(
            Artifact(name=output.name, kind="tree", digest=store.put(canonical_bytes(listings[output.name])))
            for output in self.step.outputs
            if output.name in listings
        )
        return ActionResult(outputs=outputs)


def split_step(step: Step, inputs: dict[str, Artifact], store: Store) -> tuple[ItemStep, ...]:
    """The steps to run for the different items of a step's input; none without `each`. Raises ItemsRefused."""
    if (each := step.each) is None:
        return ()
    listing = _listing(inputs[each.input], store)
    if listing is None:
        raise ItemsRefused(input_lost(each.input))
    try:
        items = split_tree(listing)
    except ValueError as error:
        message = f"step {step.name} runs for each folder of its input {each.input!r}: {error}"
        raise ItemsRefused(Failure(category="config", message=message)) from error
    return tuple(_item_step(step, each, inputs, item, store) for item in items)


def _item_step(step: Step, each: Each, inputs: dict[str, Artifact], item: Item, store: Store) -> ItemStep:
    own = Artifact(name=each.input, kind="tree", digest=store.put(canonical_bytes(item.listing)))
    return ItemStep(
        item=item,
        step=msgspec.structs.replace(
            step, name=f"{step.name}.{item.names[0]}", outputs=each.outputs, each=None, item_of=step.name
        ),
        inputs={**inputs, each.input: own},
    )


def _listing(tree: Artifact, store: Store) -> TreeListing | None:
    """The listing of a tree; None when it is lost or no listing."""
    data = store.get(tree.digest)
    with contextlib.suppress(ValueError):
        document = decode_document(data) if data is not None else None
        if isinstance(document, TreeListing):
            return document
    return None
