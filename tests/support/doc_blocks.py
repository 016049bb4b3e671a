"""The code blocks of Markdown pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCED = re.compile(r"^(?:<!-- block: (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```", re.M | re.S)
_INDENTED = re.compile(r"(?:^    .*\n)+", re.M)


class Block(NamedTuple):
    """A block and where it is: `mark` is what a comment in front of it says, e.g. <!-- block: flow.toml -->."""

    page: Path
    line: int
    language: str  # "indented" for a block without a fence, "" for a fence that names none
    mark: str
    text: str

    @property
    def id(self) -> str:
        """How tests name it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path, text: str) -> Iterator[Block]:
    """All blocks of a page, fenced ones first."""
    for found in _FENCED.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(page, line, found["language"], found["mark"] or "", found["text"])
    plain = _FENCED.sub(lambda found: re.sub(r"[^\n]", "", found[0]), text)
    for found in _INDENTED.finditer(plain):
        indented = "".join(line[4:] + "\n" for line in found[0].splitlines())
        yield Block(page, text.count("\n", 0, found.start()) + 1, "indented", "", indented)


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in one of these languages."""
    return [block for page in PAGES for block in blocks_of(page, page.read_text()) if block.language in languages]
