"""Builds the documentation site: `make docs`. Ends with 1 for a link, anchor or page that is wrong."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main
from staging import ROOT, stage


def build(folder: Path) -> int:
    """Write the site to FOLDER/html; returns the exit code of Sphinx, for which each warning is an error."""
    source = folder / "source"
    if source.exists():
        shutil.rmtree(source)
    source.mkdir(parents=True)
    stage(source)
    options = ["-q", "-W", "--keep-going", "-j", "auto", "-c", str(ROOT / "docs" / "site")]
    return build_main([*options, "-b", "html", "-d", str(folder / "doctrees"), str(source), str(folder / "html")])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    code = build(target)
    print(f"{'the site has errors' if code else 'the site is in'} {target / 'html' / 'index.html'}")
    sys.exit(code)
