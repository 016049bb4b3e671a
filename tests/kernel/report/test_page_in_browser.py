"""The page of a build in Chromium, from disk: it asks for nothing, works, and fits its window."""

import re
from pathlib import Path

import pytest
from bskernel.report.page.facts import BuildRecord, make_page
from bskernel.report.page_renderer import render_page
from support.accessibility import SERIOUS, axe_core
from support.browser import assert_opens_and_fits, look_at, pixels, told, with_script
from support.page_records import HOSTILE, failed_record, full_record

pytestmark = pytest.mark.browser
RECORDS = pytest.mark.parametrize("record", [full_record(), failed_record()], ids=["built", "failed"])
WIDTHS = pytest.mark.parametrize("width", [1280, 390])


def written(folder: Path, record: BuildRecord) -> Path:
    path = folder / "report.html"
    path.write_text(render_page(make_page(record)), encoding="utf-8")
    return path


@RECORDS
@WIDTHS
def test_the_page_opens_without_errors_asks_for_nothing_and_fits(
    tmp_path: Path, record: BuildRecord, width: int
) -> None:
    page = written(tmp_path, record)
    assert_opens_and_fits(page, tmp_path, width=width, never=(HOSTILE, "<title>broken</title>"))


SORT = """
const names = () => [...document.querySelectorAll("#layer-table tbody th")].map((one) => one.textContent.trim());
const button = (name) => [...document.querySelectorAll("#layer-table thead button")]
  .find((one) => one.textContent.trim() === name);
const found = {start: names()};
button("cycles").focus();
button("cycles").click();
found.slowest = names();
found.sorted = button("cycles").closest("th").getAttribute("aria-sort");
button("cycles").click();
found.fastest = names();
button("LUT").click();
found.luts = names();
button("layer").click();
found.byName = names();
found.marks = document.querySelectorAll("#layer-table [aria-sort]").length;
found.focus = document.activeElement.textContent.trim();
tell(found);
"""


def test_layers_are_sorted_by_any_column_with_missing_numbers_last(tmp_path: Path) -> None:
    seen = look_at(with_script(written(tmp_path, full_record()), tmp_path, SORT), tmp_path, photo=False)
    found = told(seen)
    slow = "slow bottleneck"
    assert found["start"] == ["first", slow, HOSTILE]
    assert (found["slowest"], found["sorted"]) == ([slow, "first", HOSTILE], "descending")
    assert found["fastest"] == [HOSTILE, "first", slow]
    assert found["luts"] == [slow, "first", HOSTILE]
    assert found["byName"] == [HOSTILE, "first", slow]
    assert (found["marks"], found["focus"]) == (1, "cycles")
    assert seen.console == []


FILTER = """
const shown = (table) => [...document.querySelectorAll(`#${table} tbody tr`)].filter((row) => !row.hidden).length;
const type = (table, text) => {
  const input = document.querySelector(`[data-filter="${table}"]`);
  input.value = text;
  input.dispatchEvent(new Event("input"));
};
const found = {layers: shown("layer-table")};
type("layer-table", "MVAU slow");
found.filtered = shown("layer-table");
found.count = document.querySelector('[data-count="layer-table"]').textContent;
type("fact-table", "raw report deep");
found.facts = shown("fact-table");
location.hash = "#layer-0";
setTimeout(() => { found.target = shown("layer-table"); tell(found); }, 500);
"""


def test_filters_hide_rows_and_a_link_to_a_hidden_row_shows_it(tmp_path: Path) -> None:
    found = told(look_at(with_script(written(tmp_path, full_record()), tmp_path, FILTER), tmp_path, photo=False))
    assert (found["layers"], found["filtered"], found["count"]) == (3, 1, "1 of 3")
    assert (found["facts"], found["target"]) == (1, 3)


@RECORDS
@WIDTHS
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(tmp_path: Path, record: BuildRecord, width: int, dark: bool) -> None:
    page = with_script(written(tmp_path, record), tmp_path, f"{axe_core()}\n{SERIOUS}")
    assert told(look_at(page, tmp_path, width=width, height=1500, dark=dark, photo=False)) == []


def test_the_page_is_dark_for_those_who_want_it(tmp_path: Path) -> None:
    page = written(tmp_path, full_record())
    corners = [pixels(look_at(page, tmp_path, dark=dark).screenshot)[0] for dark in (False, True)]
    assert corners == [(255, 255, 255), (17, 22, 29)]


def test_a_test_on_accessibility_would_notice_a_fault(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<html lang="en"><title>x</title><body><main><img src="data:,"><input></main></body></html>')
    run = "axe.run().then((result) => tell(result.violations.map((one) => one.id)));"
    found = told(look_at(with_script(page, tmp_path, f"{axe_core()}\n{run}"), tmp_path, photo=False))
    assert {"image-alt", "label"} <= set(found)


def test_the_page_s_own_script_runs_under_its_policy_and_no_other(tmp_path: Path) -> None:
    page = written(tmp_path, full_record())
    seen = look_at(page, tmp_path, photo=False)
    assert re.search(r'<output data-count="layer-table"[^>]*>3 of 3</output>', seen.document)
    page.write_text(page.read_text().replace("<main", "<script>document.title = 'broken'</script><main"))
    seen = look_at(page, tmp_path, photo=False)
    assert "<title>broken</title>" not in seen.document
    assert any("Content Security Policy" in line for line in seen.console)


def test_the_browser_test_would_notice_errors_and_requests(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<script>console.error("wrong")</script><script src="http://127.0.0.1:9/library.js"></script>')
    seen = look_at(page, tmp_path)
    assert any("wrong" in line for line in seen.console)
    assert "http://127.0.0.1:9/library.js" in seen.requests
