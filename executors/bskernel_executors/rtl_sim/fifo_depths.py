"""Find the smallest FIFOs with which a design keeps its pace. Pure: a function tries depths."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Depths = tuple[int, ...]
# Tries several depths of all FIFOs, and returns for each the most room that every FIFO needed, or None if the depths
# do not suffice. It returns nothing when no more trials are allowed.
Attempt = Callable[[Sequence[Depths]], Sequence[Depths | None]]


class _DepthSearch:
    """Depths that suffice, and for each FIFO the least that may: below it the pace is known to be lost."""

    def __init__(self, marks: Sequence[int], widths: Sequence[int], floor: int, attempt: Attempt) -> None:
        self.depths = [max(floor, mark) for mark in marks]
        self.least = [floor] * len(marks)
        self.widths = widths
        self.floor = floor
        self.attempt = attempt
        self.ended = False

    def lower(self, wanted: Sequence[dict[int, int]]) -> list[bool]:
        """Try changes of the present depths, FIFO -> depth, side by side; keep the first that suffices.

        Returns for each whether it suffices.
        """
        if self.ended:
            return [False] * len(wanted)
        tried = [tuple(change.get(at, depth) for at, depth in enumerate(self.depths)) for change in wanted]
        needed = self.attempt(tried)
        if not needed:
            self.ended = True
            return [False] * len(wanted)
        kept = next(((depths, room) for depths, room in zip(tried, needed, strict=True) if room is not None), None)
        if kept is not None:
            # A FIFO whose room was not needed is the same with less.
            self.depths = [max(self.floor, min(pair)) for pair in zip(*kept, strict=True)]
            self.least = [min(pair) for pair in zip(self.least, self.depths, strict=True)]
        return [room is not None for room in needed]

    def list_open(self) -> list[int]:
        """FIFOs that may be smaller, those first that may save the most bits."""
        found = [at for at, depth in enumerate(self.depths) if depth > self.least[at]]
        return sorted(found, key=lambda at: (self.least[at] - self.depths[at]) * self.widths[at])

    def measure_hope(self) -> float:
        """The share of all bits that may still be saved."""
        hope = [depth - least for depth, least in zip(self.depths, self.least, strict=True)]
        return self._count_bits(hope) / self._count_bits(self.depths)

    def _count_bits(self, depths: Sequence[int]) -> int:
        return sum(depth * width for depth, width in zip(depths, self.widths, strict=True))

    def lower_group(self, group: Sequence[int]) -> None:
        """Set the FIFOs of a group, of which not all can, to the least depth that can; note those that cannot."""
        if self.ended:
            return
        if len(group) == 1:
            self.least[group[0]] = min(self.floor + 1, self.depths[group[0]])
            return
        halves = group[: len(group) // 2], group[len(group) // 2 :]
        first, second = self.lower([dict.fromkeys(half, self.floor) for half in halves])
        # If each half alone can be lowered, the first is now, and the second is why both cannot.
        if not first:
            self.lower_group(halves[0])
        if first or not second:
            self.lower_group(halves[1])

    def bisect(self, at: int) -> None:
        """Narrow what is known of a FIFO's depth to a third."""
        low, span = self.least[at], self.depths[at] - self.least[at]
        probes = sorted({low + span // 3, low + 2 * span // 3})
        for probe, suffices in zip(probes, self.lower([{at: probe} for probe in probes]), strict=True):
            if not suffices and not self.ended:
                self.least[at] = min(probe + 1, self.depths[at])


def find_depths(
    marks: Sequence[int], widths: Sequence[int], floor: int, attempt: Attempt, *, negligible: float = 0
) -> Depths:
    """Find depths in values of which none can be reduced alone, unless `attempt` ends the search.

    The search also ends when all reductions together can save no more than the share `negligible` of all bits.

    `marks`, the most values that each FIFO held, suffice; `widths` are in bits, `floor` is the least depth.
    Most FIFOs can have the least depth, so groups of them try it at once: about 2 k log2(n / k) trials find the k of
    n FIFOs that need more. Then each trial narrows the FIFO that may save the most bits, so a search that ends early
    has little left to gain. One pass is enough: a FIFO that cannot shrink while others are deeper cannot shrink when
    they are smaller.
    """
    search = _DepthSearch(marks, widths, floor, attempt)
    group = search.list_open()
    if group and not search.lower([dict.fromkeys(group, floor)])[0]:
        search.lower_group(group)
    while not search.ended and (group := search.list_open()) and search.measure_hope() > negligible:
        search.bisect(group[0])
    return tuple(search.depths)
