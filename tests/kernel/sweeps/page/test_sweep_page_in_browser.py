"""The page of a sweep in Chromium, from disk: a point that is selected in one place is marked in all others."""

from pathlib import Path
from typing import Any

import pytest
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.page.sweep_page import SweepRecord, make_sweep_page
from bskernel.sweeps.report.sweep_page_renderer import render_sweep_page
from support.accessibility import SERIOUS, axe_core
from support.browser import assert_opens_and_fits, look_at, told, with_script
from support.page_records import HOSTILE
from support.sweep_records import full_sweep
from support.sweep_tables import digits

pytestmark = pytest.mark.browser
THREE = full_sweep(Goals(maximize=("throughput",), minimize=("DSP", "latency")), digits())
RECORDS = pytest.mark.parametrize(
    "record", [full_sweep(), THREE, full_sweep(Goals())], ids=["two", "three", "no objective"]
)
WIDTHS = pytest.mark.parametrize("width", [1280, 390])


def written(folder: Path, record: SweepRecord | None = None) -> Path:
    path = folder / "report.html"
    path.write_text(render_sweep_page(make_sweep_page(record or full_sweep())), encoding="utf-8")
    return path


# What a test's script can ask of the page.
HELPERS = """
const name = (row) => row.cells[0].textContent.trim();
const rows = () => [...document.querySelectorAll("#point-table tbody tr")];
const all = (rule) => [...document.querySelectorAll(rule)];
const points = (rule) => all(rule).map((one) => one.dataset.points).sort();
const picked = () => ({
  rows: rows().filter((row) => row.classList.contains("picked")).map(name).sort(),
  boxes: rows().filter((row) => row.querySelector("input").checked).map(name).sort(),
  marks: points("button.picked"), pressed: points('button[aria-pressed="true"]'), lines: points("path.picked"),
  told: document.getElementById("picked").textContent,
});
const press = (key) => (document.activeElement ?? document.body)
  .dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const type = (text) => {
  const input = document.querySelector('[data-filter="point-table"]');
  input.value = text;
  input.dispatchEvent(new Event("input"));
};
const shown = () => rows().filter((row) => !row.hidden).map(name).sort();
"""


def ask(folder: Path, script: str, record: SweepRecord | None = None, *, width: int = 1280) -> Any:
    page = with_script(written(folder, record), folder, f"{HELPERS}\n{script}")
    seen = look_at(page, folder, width=width, photo=False)
    assert seen.console == []
    return told(seen)


@RECORDS
@WIDTHS
def test_the_page_opens_without_errors_asks_for_nothing_and_fits(
    tmp_path: Path, record: SweepRecord, width: int
) -> None:
    page = written(tmp_path, record)
    assert_opens_and_fits(page, tmp_path, width=width, never=(HOSTILE, "<title>broken</title>"))


@RECORDS
@WIDTHS
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(tmp_path: Path, record: SweepRecord, width: int, dark: bool) -> None:
    picked = 'all("#point-table input").slice(0, 2).forEach((one) => one.click());'
    page = with_script(written(tmp_path, record), tmp_path, f"{axe_core()}\n{HELPERS}\n{picked}\n{SERIOUS}")
    assert told(look_at(page, tmp_path, width=width, height=1500, dark=dark, photo=False)) == []


def test_a_mark_selects_all_its_points_in_the_table_and_the_lines(tmp_path: Path) -> None:
    found = ask(tmp_path, 'all("button.mark.recommended")[0].click(); tell(picked());')
    assert found["rows"] == found["boxes"] == ["good", "twin"]
    assert found["lines"] == ["1", "2"]
    assert found["marks"] == found["pressed"] == ["1 2"]
    assert found["told"] == "2 selected: good, twin"


def test_a_row_selects_its_point_and_a_mark_of_several_is_partly_pressed(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      rows().find((row) => name(row) === "slow-1").querySelector("input").click();
      const one = picked();
      one.partly = points('button[aria-pressed="mixed"]');
      rows().find((row) => name(row) === "slow-1").cells[2].click();
      one.after = picked();
      tell(one);
    """)  # fmt: skip
    assert (found["rows"], found["lines"], found["partly"], found["pressed"]) == (["slow-1"], ["5"], ["4 5 6"], [])
    assert (found["after"]["rows"], found["after"]["told"]) == ([], "None selected")


LINES = """
const box = document.querySelector(".lines").getBoundingClientRect();
const at = (axis, up) => ({clientX: box.left + axis / 3 * box.width, clientY: box.bottom - up * box.height});
const send = (kind, where) => document.querySelector(".lines")
  .dispatchEvent(new PointerEvent(kind, {...where, button: 0, pointerType: "test", bubbles: true}));
"""


def test_a_line_selects_its_point_and_a_range_of_an_axis_those_in_it(tmp_path: Path) -> None:
    found = ask(tmp_path, LINES + """
      send("pointerdown", at(2, 1)); send("pointerup", at(2, 1));
      const line = picked().rows;
      send("pointerdown", at(2, 1.01)); send("pointermove", at(2, 0.5)); send("pointerup", at(2, 0.5));
      const range = picked().rows;
      press("Escape");
      tell([line, range, picked().rows, all(".brush").length]);
    """)  # fmt: skip
    assert found == [["fast"], ["fast", "good", "twin"], [], 0]


def test_the_front_works_by_the_keyboard(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      const stops = () => all(".plot button").filter((one) => one.tabIndex === 0).map((one) => one.dataset.points);
      const found = {start: stops()};
      all('.plot button[tabindex="0"]')[0].focus();
      press("ArrowRight");
      found.right = [stops(), document.activeElement.dataset.points];
      press("Home");
      found.home = document.activeElement.dataset.points;
      press("ArrowLeft");
      found.stays = document.activeElement.dataset.points;
      press("End");
      found.end = document.activeElement.dataset.points;
      document.activeElement.click();
      found.picked = picked().rows;
      found.name = document.activeElement.getAttribute("aria-label");
      tell(found);
    """)  # fmt: skip
    assert (found["start"], found["right"]) == (["1 2"], [["4 5 6"], "4 5 6"])
    assert (found["home"], found["stays"], found["end"], found["picked"]) == ("3", "3", "0", ["fast"])
    assert found["name"] == "Pareto set: throughput 1,000 inferences/s, LUT 800; fast"


def test_what_the_filter_hides_fades_in_the_plots(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      type("throughput >= 900 part=a");
      const found = [shown(), points("button:not(.faded).mark"), points("path:not(.faded)")];
      type("failed");
      found.push(shown());
      type("");
      found.push(all(".faded").length);
      tell(found);
    """)  # fmt: skip
    assert found == [["fast", "good"], ["0", "1 2"], ["0", "1"], ["broken", "broken-2"], 0]


def test_the_selected_points_can_be_shown_alone_and_those_shown_selected(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      type("fps<93 fps>85");
      document.getElementById("all-shown").click();
      type("");
      document.getElementById("only").click();
      const found = [picked().rows, shown()];
      document.getElementById("none").click();
      found.push(shown().length, document.getElementById("only").getAttribute("aria-pressed"));
      tell(found);
    """)  # fmt: skip
    slow = ["slow", "slow-1", "slow-2"]
    assert found == [slow, slow, 12, "false"]


def test_what_is_pointed_at_is_marked_everywhere_and_described(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      const mark = all('button[data-points="4 5 6"]')[0];
      mark.dispatchEvent(new PointerEvent("pointerenter"));
      const text = document.getElementById("pointed").innerText;
      const found = [rows().filter((row) => row.classList.contains("hot")).map(name), points("path.hot"), text];
      mark.dispatchEvent(new PointerEvent("pointerleave"));
      found.push(all(".hot").length, document.getElementById("pointed").hidden);
      tell(found);
    """)  # fmt: skip
    assert found[:2] == [["slow", "slow-1", "slow-2"], ["4", "5", "6"]]
    assert "On the same place: slow-1, slow-2" in found[2]
    assert found[3:] == [0, True]


def test_rows_sort_by_numbers_and_by_verdict(tmp_path: Path) -> None:
    found = ask(tmp_path, """
      const button = (text) => all("#point-table thead button").find((one) => one.textContent.trim() === text);
      const found = [rows().map(name)];
      button("LUT, estimate").click();
      found.push(rows().map(name).slice(0, 2));
      button("verdict").click();
      found.push(rows().map(name)[0]);
      tell(found);
    """)  # fmt: skip
    assert found[0][:4] == ["good", "fast", "twin", "small"]
    assert found[1:] == [["large", "fast"], "good"]
