"""Damaged reports: a value that is found is the one in the undamaged report, or it is absent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel_executors.vivado_reports import (
    read_hierarchy,
    read_hierarchy_xml,
    read_log,
    read_power,
    read_qor,
    read_timing,
    read_utilization,
)
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "reports"
READERS: dict[str, Callable[[str], Any]] = {
    "2019.2_artix7_picorv32_utilization_placed.rpt": read_utilization,
    "2019.2_kintexusp_picorv32_utilization_placed.rpt": read_utilization,
    "2020.1_zynq7020_hls4ml_vivado_synth.rpt": read_utilization,
    "artix7_timing_summary.rpt": read_timing,
    "2019.1_zynq7010_redpitaya_power_routed.rpt": read_power,
}
TEXTS = {name: (DATA / name).read_text(encoding="utf-8") for name in READERS}
# Path details follow the summary in hundreds of lines: they are cut off so that damage hits what is read.
TEXTS["artix7_timing_summary.rpt"] = TEXTS["artix7_timing_summary.rpt"][:12_000]
WHOLE = {name: READERS[name](text) for name, text in TEXTS.items()}
names = st.sampled_from(sorted(READERS))
utilizations = st.sampled_from([name for name in READERS if READERS[name] is read_utilization])


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All that a reader found, but the warnings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "warnings":
                yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[{inner['name'] if isinstance(inner, dict) else ''}]")
    elif value is not None:
        yield path, value


def check(name: str, damaged: str) -> None:
    whole = dict(leaves(msgspec.to_builtins(WHOLE[name])))
    for path, value in leaves(msgspec.to_builtins(READERS[name](damaged))):
        assert whole.get(path) == value, f"{name}: {path}"


@given(name=names, share=st.floats(0, 1))
def test_a_truncated_report(name: str, share: float) -> None:
    check(name, TEXTS[name][: int(share * len(TEXTS[name]))])


@given(name=names, data=st.data())
@settings(max_examples=200)
def test_lines_that_are_lost_or_written_twice(name: str, data: st.DataObject) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        if data.draw(st.booleans()):
            del lines[at]
        else:
            lines.insert(at, lines[at])
    check(name, "".join(lines))


def swap(line: str, left: int, right: int, *, widths: bool) -> str:
    """Two cells of a table's line in each other's place; with their widths, or padded to those that are there."""
    bar = line[:1]
    cells = line.split(bar) if bar in {"|", "+"} else []
    if len(cells) != 7 or not (widths or bar == "|"):
        return line
    if widths:
        cells[left], cells[right] = cells[right], cells[left]
    else:
        moved = {
            place: f"{cells[other].strip()} ".rjust(len(cells[place]))
            for place, other in ((left, right), (right, left))
        }
        for place, cell in moved.items():
            cells[place] = cell
    return bar.join(cells)


@given(
    name=utilizations,
    columns=st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]),
    which=st.sampled_from(["all", "heads", "rows"]),
)
def test_columns_that_are_swapped(name: str, columns: tuple[int, int], which: str) -> None:
    def damaged(line: str) -> str:
        if which == "all":
            return swap(line, *columns, widths=True)
        return swap(line, *columns, widths=False) if ("Site Type" in line) == (which == "heads") else line

    check(name, "\n".join(damaged(line) for line in TEXTS[name].splitlines()))


def test_columns_swapped_with_their_heads_are_found_again() -> None:
    name = "2020.1_zynq7020_hls4ml_vivado_synth.rpt"
    damaged = "\n".join(swap(line, 2, 4, widths=True) for line in TEXTS[name].splitlines())
    assert damaged != TEXTS[name]
    assert read_utilization(damaged).used["LUT"] == 1526


@given(utilizations, st.sets(st.integers(600, 6000), max_size=40))
def test_digits_that_are_lost_change_no_count(name: str, places: set[int]) -> None:
    text = "".join(" " if place in places else letter for place, letter in enumerate(TEXTS[name]))
    for resource, value in read_utilization(text).used.items():
        assert value == WHOLE[name].used[resource]


@given(st.text(max_size=300))
@pytest.mark.parametrize(
    "read",
    [read_utilization, read_hierarchy, read_hierarchy_xml, read_timing, read_power, read_qor, read_log],
)
def test_any_text_is_read_as_something(read: Callable[[str], Any], text: str) -> None:
    read(text)
    read("    WNS(ns)  TNS(ns)\n" + text)
    read("+--+--+\n" + text)
