"""What axe-core finds wrong with a page. npm brings it, by its digest; it is for tests alone and in no package."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NoReturn

import pytest

from support.paths import ROOT

# Tells the serious faults of a page, with the first element of each.
SERIOUS = """
axe.run().then((result) => tell(result.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => [one.id, one.nodes.length, one.nodes[0].html, one.nodes[0].failureSummary])));
"""
_VERSION = "4.14.1"
_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
_ARCHIVE = ROOT / ".tools" / f"axe-core-{_VERSION}.tgz"


def axe_core() -> str:
    """The source of axe-core. Skips the test where there is no npm to fetch it, or fails it where it must run."""
    _ARCHIVE.parent.mkdir(exist_ok=True)
    with (_ARCHIVE.parent / "axe-core.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be fetching it
        if not _ARCHIVE.exists():
            _fetch()
    data = _ARCHIVE.read_bytes()
    assert hashlib.sha256(data).hexdigest() == _SHA256, f"{_ARCHIVE} is not the axe-core that this test is for"
    with tarfile.open(_ARCHIVE) as archive:
        source = archive.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _give_up("npm is not installed, which fetches axe-core")
    folder: Path = _ARCHIVE.parent
    call = [npm, "pack", f"axe-core@{_VERSION}", "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        _give_up(f"npm cannot fetch axe-core: {done.stderr.strip()[-200:]}")


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("BSKERNEL_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)
