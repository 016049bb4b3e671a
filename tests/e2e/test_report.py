"""`bskernel report`, by the command line: the page of a real build, beside it and elsewhere, and never an old one."""

import hashlib
import html
import re
from pathlib import Path
from typing import Any

import pytest
from support.builds import write

BUILD = """
[build]
name = "b"
model = "number.txt"
[target]
target_fps = 3
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
parameters.number = {number}
"""
FAILING = f"{BUILD}[[step]]\nentry = 'testing:measure'\n"


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD.format(number=2)))
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


def report(cli: Any, *arguments: str | Path) -> str:
    """The page that the command has written."""
    done = cli("report", *map(str, arguments))
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(done.stdout.strip()).read_text(encoding="utf-8")


def test_the_page_lies_in_the_build_directory_and_names_its_result(cli: Any, built: Path) -> None:
    page = report(cli, built)
    assert page == (built / "report.html").read_text(encoding="utf-8")
    assert hashlib.sha256((built / "result.json").read_bytes()).hexdigest() in page
    for text in ("<h1>b</h1>", "double", "add", "2 ran", 'href="result.json"', "testing@"):
        assert text in page


def test_a_new_build_removes_the_page_and_leaves_a_file_of_the_user(cli: Any, built: Path, tmp_path: Path) -> None:
    report(cli, built)
    assert cli("run", str(tmp_path / "build.toml")).returncode == 0
    assert not (built / "report.html").exists()
    (built / "report.html").write_text("mine")
    refused = cli("report", str(built))
    assert (refused.returncode, "is not a page that bskernel wrote" in refused.stderr) == (2, True)
    assert cli("run", str(tmp_path / "build.toml")).returncode == 0
    assert (built / "report.html").read_text() == "mine"


def test_a_directory_with_its_page_is_as_its_build_wrote_it(cli: Any, built: Path) -> None:
    report(cli, built)
    done = cli("verify", str(built), "--runs", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    page = built / "report.html"
    page.write_text(
        page.read_text().replace(hashlib.sha256((built / "result.json").read_bytes()).hexdigest(), "0" * 64, 1)
    )
    done = cli("verify", str(built), "--runs", "0")
    assert done.returncode == 8
    assert "report.html: not written by the build" in done.stdout + done.stderr


def test_links_of_a_page_elsewhere_lead_to_the_build_directory(cli: Any, built: Path, tmp_path: Path) -> None:
    (tmp_path / "shown here").mkdir()
    page = tmp_path / "shown here" / "page.html"
    report(cli, built, "--output", page)
    assert not (built / "report.html").exists()
    links = [html.unescape(link) for link in re.findall(r'href="([^"#][^"]*)"', page.read_text()) if link != "data:,"]
    assert "../build/b/result.json" in links
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_against_another_build_the_page_says_what_changed_and_why_a_step_ran(
    cli: Any, built: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write(tmp_path, BUILD.format(number=4))
    assert cli("run", str(tmp_path / "build.toml"), "--output", str(other)).returncode == 0
    page = html.unescape(report(cli, other, "--against", built))
    for text in (
        f"A is the base, {built}",
        "parameter number: 2 -> 4",
        "configuration: 1 key changed",
        "the same key",
    ):
        assert text in page


def test_a_failed_build_has_a_page_with_its_hint(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, FAILING.format(number=3))).returncode == 3
    page = report(cli, tmp_path / "build" / "b")
    assert "13 is more than one digit" in page
    assert "add less" in page
    assert "bskernel replay" in page


def test_a_page_of_what_is_no_build_is_refused(cli: Any, tmp_path: Path) -> None:
    done = cli("report", str(tmp_path))
    assert done.returncode == 2
    assert "is not a build directory" in done.stderr
    assert not (tmp_path / "report.html").exists()


def test_damaged_files_beside_the_result_leave_a_page_and_a_warning(cli: Any, built: Path) -> None:
    (built / "log.jsonl").write_bytes(b"\xff{]\n[1]\n")
    (built / "config.json").write_text("{")
    page = report(cli, built)
    assert "changed since the build: config.json: altered" in page
