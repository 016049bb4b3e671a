"""What a build cannot do without: the least programs that do it, which a part measures in turns with its own rows."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from measurement import Row, SelfTimed, call, printed

START = "python -c pass"
CODEC = "python -c 'import msgspec'"  # kernel and executors understand nothing without it
CHAINED = "a bare step of a chain"
INDEPENDENT = "a bare step of many, two at a time"
CONTAINER = "a bare container, by Docker's SDK"
IMPORTS = "what finn-step imports"
OWN = "FINN+'s own steps, their second time in one process, as builds run them"
LATE = "those from step_target_fps_parallelization on"
SHARED, SINGLE = "FINN+'s own steps that all points share", "those of single points, equal ones once"
CLUSTER = "start and end of a scheduler and two workers that do nothing"
SLEEP = "a second"
_HERE = Path(__file__).resolve().parent


def start_python() -> None:
    """START."""
    call([sys.executable, "-c", "pass"])


def start_codec() -> None:
    """CODEC."""
    call([sys.executable, "-c", "import msgspec"])


def chained(folder: Path, count: int = 100) -> SelfTimed:
    """CHAINED, in a new folder below this one each time."""
    return SelfTimed([CHAINED], _steps(folder, count, 1))


def independent(folder: Path, count: int = 100) -> SelfTimed:
    """INDEPENDENT, in a new folder below this one each time."""
    return SelfTimed([INDEPENDENT], _steps(folder, count, 2))


def _steps(folder: Path, count: int, jobs: int) -> Callable[[], list[float]]:
    def action() -> list[float]:
        new = tempfile.mkdtemp(prefix="bare-", dir=folder)
        return printed([sys.executable, _HERE / "bare_steps.py", str(count), str(jobs), new])

    return action


def container(image: str) -> Callable[[], None]:
    """CONTAINER, of this image."""
    return lambda: call([sys.executable, _HERE / "bare_container.py", image])


def bare_cluster(folder: Path) -> Callable[[], None]:
    """CLUSTER."""
    return lambda: call([sys.executable, _HERE / "bare_cluster.py", folder, "2"])


def bare_rows(group: str, taken: Mapping[str, float], runs: int) -> list[Row]:
    """The mechanisms' rows of a group."""
    return [Row(group=group, what=name, value=value * 1e3, unit="ms", runs=runs) for name, value in taken.items()]
