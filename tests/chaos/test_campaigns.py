"""The part of the campaign that CI runs: a fixed seed, a few tries of each kind, no broken promise."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from support.paths import TESTS

from chaos.kinds import KINDS
from chaos.report import Report, as_text

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CAMPAIGNS = sorted({kind.name.partition("/")[0] for kind in KINDS if kind.tries})


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign's checkout and environments, for all tests."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture
def chaos(site: Path) -> Run:
    """Call the campaign as `make chaos` does."""

    def run(*arguments: str, module: str = "chaos") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, "--site", str(site), *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)

    return run


def no_promise_is_broken(chaos: Run, report: Path, names: list[str]) -> None:
    done = chaos("--ci", "--seed", "1", "--kinds", ",".join(names), "--report", str(report))
    assert report.exists(), done.stderr
    found = msgspec.json.decode(report.read_bytes(), type=Report)
    assert done.returncode == 0, as_text(found)
    tries = {kind.name: kind.tries for kind in KINDS}
    assert [row.kind for row in found.rows if row.unable is None and row.tried < tries[row.kind]] == []


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_no_promise_is_broken(chaos: Run, tmp_path: Path, campaign: str) -> None:
    names = [kind.name for kind in KINDS if kind.name.startswith(f"{campaign}/") and not kind.container]
    no_promise_is_broken(chaos, tmp_path / "report.json", names)


@pytest.mark.container
def test_no_promise_is_broken_in_containers(chaos: Run, tmp_path: Path) -> None:
    no_promise_is_broken(chaos, tmp_path / "report.json", [kind.name for kind in KINDS if kind.container])
