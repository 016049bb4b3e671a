"""Lays out the pages of the site: those of docs/, some of other folders, and the generated reference."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]
# Pages outside of docs/, and their names in the site.
ELSEWHERE = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
}
_LINK = re.compile(r"\]\((?!\w+://|#)([^)#\s]+)((?:#[^)\s]*)?)\)")


def stage(folder: Path) -> None:
    """Write all pages to an empty folder."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        (folder / page.name).write_text(relinked(page.read_text(), page), encoding="utf-8")
    for name, staged in ELSEWHERE.items():
        (folder / staged).write_text(relinked((ROOT / name).read_text(), ROOT / name), encoding="utf-8")
    shutil.copy(ROOT / "docs" / "site" / "index.md", folder / "index.md")
    shutil.copytree(ROOT / "docs" / "images", folder / "images")
    (folder / "reference").mkdir()
    for name, text in reference.pages(ROOT).items():
        (folder / "reference" / name).write_text(text, encoding="utf-8")


def relinked(text: str, page: Path) -> str:
    """The page with links that lead to where the site has their targets; files that it does not have are no links."""

    def replace(found: re.Match[str]) -> str:
        target = (page.parent / found[1]).resolve().relative_to(ROOT)
        if str(target) in ELSEWHERE:
            return f"]({ELSEWHERE[str(target)]}{found[2]})"
        if target.parts[0] == "docs":
            return f"]({'/'.join(target.parts[1:])}{found[2]})"
        return f"]{{{target}}}"

    return re.sub(r"\[([^\]]*)\]\{([^}]+)\}", r"\1 (`\2`)", _LINK.sub(replace, text))
