"""The documentation site: every page has its place, and a wrong link, anchor or page fails the build."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.cli.group import COMMANDS
from support.paths import ROOT

SITE = ROOT / "docs" / "site"
sys.path.insert(0, str(SITE))
import reference  # noqa: E402
import staging  # noqa: E402


def check(source: Path) -> "subprocess.CompletedProcess[str]":
    """Read and resolve all pages as `make docs` does, without writing them."""
    options = ["-q", "-W", "--keep-going", "-c", SITE, "-b", "dummy", "-d", source.parent / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, source, source.parent / "none"]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "source"
    folder.mkdir()
    staging.stage(folder)
    return folder


def test_every_page_of_the_documentation_is_in_the_contents() -> None:
    listed = set(re.findall(r"^([\w/-]+)$", (SITE / "index.md").read_text(), re.MULTILINE))
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - listed == set()


def test_the_site_is_whole_and_what_leads_nowhere_is_an_error(source: Path) -> None:
    done = check(source)
    assert done.returncode == 0, done.stderr
    page = source / "glossary.md"
    text = page.read_text()
    wrong = "\n[a](no-page.md)\n\n[b](flows.md#no-anchor)\n\n[c](#no-heading)\n\n![d](images/no-picture.svg)\n"
    page.write_text(text + wrong)
    (source / "orphan.md").write_text("# An orphan\n")
    done = check(source)
    assert done.returncode == 1
    for name in ("no-page.md", "no-anchor", "no-heading", "no-picture.svg", "orphan.md"):
        assert name in done.stderr


def test_the_reference_has_every_command_key_and_entry() -> None:
    pages = reference.pages(ROOT)
    assert re.findall(r":prog: bskernel (\w[\w-]*)", pages["cli.md"]) == list(COMMANDS)
    assert "| `clock_ns` | number | `5.0` |" in pages["config.md"]
    assert "## [sweep.search]" in pages["config.md"].replace("\\", "")
    for path in (ROOT / "images").glob("*/*/catalogue.json"):
        page = pages[f"{path.parent.parent.name}-{path.parent.name}.md"]
        names = re.findall(r'^      "name": "([\w-]+)"', path.read_text(), re.MULTILINE)
        assert {name for name in names if f"\n## {name}\n" not in page} == set()


@pytest.mark.parametrize(
    ("link", "staged"),
    [
        ("[a](../ARCHITECTURE.md#x)", "[a](architecture.md#x)"),
        ("[a](flows.md)", "[a](flows.md)"),
        ("[a](#here)", "[a](#here)"),
        ("[a](https://a.b/c.md)", "[a](https://a.b/c.md)"),
        ("[the test](../tests/conftest.py)", "the test (`tests/conftest.py`)"),
    ],
)
def test_links_lead_to_where_the_site_has_their_targets(link: str, staged: str) -> None:
    assert staging.relinked(link, ROOT / "docs" / "sweeps.md") == staged
