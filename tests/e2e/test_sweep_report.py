"""`bskernel report` of a sweep, by the command line: its page and those of its points, and never old ones."""

import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.builds import write

CONFIG = """
[build]
name = "b"
model = "number.txt"
[[step]]
name = "add"
entry = "testing:add"
[[step]]
name = "metrics"
entry = "testing:tell"
[sweep]
maximize = "number"
[sweep.grid]
"target.target_fps" = [{values}]
"""


@pytest.fixture
def swept(cli: Any, tmp_path: Path) -> Path:
    return sweep(cli, tmp_path, "1, 2")


def sweep(cli: Any, folder: Path, values: str) -> Path:
    done = cli("sweep", write(folder, CONFIG.format(values=values)))
    assert done.returncode in {0, 3}, done.stderr
    return folder / "build" / "b-sweep"


def report(cli: Any, *arguments: str | Path) -> str:
    done = cli("report", *map(str, arguments))
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip()).read_text(encoding="utf-8")


def links(page: str) -> list[str]:
    found = [html.unescape(link) for link in re.findall(r'href="([^"#][^"]*)"', page)]
    return sorted({link for link in found if link != "data:,"})


def test_the_page_leads_to_a_page_of_each_point(cli: Any, swept: Path) -> None:
    page = report(cli, swept)
    assert page == (swept / "report.html").read_text(encoding="utf-8")
    assert hashlib.sha256((swept / "sweep.json").read_bytes()).hexdigest() in page
    names = sorted(path.name for path in (swept / "points").iterdir())
    assert links(page) == [f"points/{name}/report.html" for name in names]
    for name in names:
        point = (swept / "points" / name / "report.html").read_text()
        assert hashlib.sha256((swept / "points" / name / "result.json").read_bytes()).hexdigest() in point


def test_links_of_a_page_elsewhere_lead_to_the_points(cli: Any, swept: Path, tmp_path: Path) -> None:
    (tmp_path / "shown here").mkdir()
    page = tmp_path / "shown here" / "page.html"
    found = links(report(cli, swept / "sweep.json", "--output", page))
    assert not (swept / "report.html").exists()
    assert len(found) == 2
    assert all((page.parent / link).is_file() for link in found)


def test_the_next_sweep_removes_its_page_and_keeps_those_of_points_that_are_the_same(
    cli: Any, swept: Path, tmp_path: Path
) -> None:
    report(cli, swept)
    pages = {path: path.stat().st_mtime_ns for path in swept.glob("points/*/report.html")}
    sweep(cli, tmp_path, "1, 2, 3")
    assert not (swept / "report.html").exists()
    assert {path: path.stat().st_mtime_ns for path in swept.glob("points/*/report.html")} == pages
    assert len(links(report(cli, swept))) == 3
    assert {path: path.stat().st_mtime_ns for path in pages} == pages


def test_files_of_the_user_stay(cli: Any, swept: Path, tmp_path: Path) -> None:
    point = next(iter(swept.glob("points/*")))
    (point / "report.html").write_text("mine")
    assert f"points/{point.name}/report.html" not in links(report(cli, swept))
    assert (point / "report.html").read_text() == "mine"
    (swept / "report.html").write_text("mine")
    refused = cli("report", str(swept))
    assert (refused.returncode, "is not a page that bskernel wrote" in refused.stderr) == (2, True)
    sweep(cli, tmp_path, "1, 2")
    assert (swept / "report.html").read_text() == "mine"


def test_a_sweep_of_somebody_else_makes_no_page_outside_its_folder(cli: Any, swept: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    document = json.loads((swept / "sweep.json").read_text())
    (row, other) = document["table"]["rows"]
    (swept / row["directory"] / "result.json").rename(elsewhere / "result.json")
    row["directory"] = str(elsewhere)
    (swept / "sweep.json").write_text(json.dumps(document))
    page = report(cli, swept)
    assert [path.name for path in elsewhere.iterdir()] == ["result.json"]
    assert links(page) == [f"{other['directory']}/report.html"]
    assert "changed since the sweep: sweep.json: altered" in html.unescape(page)


def test_other_objectives_and_conditions_can_be_tried(cli: Any, swept: Path) -> None:
    page = html.unescape(report(cli, swept, "--minimize", "number", "--require", "number > 1000"))
    assert "<b>minimize</b> number" in page
    assert "number > 1000 does not hold" in " ".join(page.split())
    wrong = cli("report", str(swept), "--maximize", "speed")
    assert (wrong.returncode, "speed" in wrong.stderr) == (2, True)


def test_what_is_not_for_this_kind_of_directory_is_refused(cli: Any, swept: Path) -> None:
    point = str(next(iter(swept.glob("points/*"))))
    refused = cli("report", point, "--minimize", "LUT")
    assert (refused.returncode, "are for a sweep" in refused.stderr) == (2, True)
    refused = cli("report", str(swept), "--against", point)
    assert (refused.returncode, "is a sweep" in refused.stderr) == (2, True)


def test_a_sweep_that_is_running_or_was_killed_has_no_page_yet(cli: Any, swept: Path) -> None:
    (swept / "sweep.json").unlink()
    done = cli("report", str(swept))
    assert (done.returncode, "the sweep is running or was killed" in done.stderr) == (2, True)


def test_without_a_name_it_is_the_sweep_of_the_current_folder(cli: Any, swept: Path, tmp_path: Path) -> None:
    (tmp_path / "build.toml").rename(tmp_path / "sweep.toml")
    done = cli("report")
    assert (done.returncode, done.stdout.strip()) == (0, "build/b-sweep/report.html")
    assert "sweep: build/b-sweep" in done.stderr
    swept.rename(tmp_path / "moved")
    (tmp_path / "sweep.toml").unlink()
    done = cli("report")
    assert (done.returncode, "no build.toml" in done.stderr) == (2, True)
