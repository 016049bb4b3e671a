"""Runs kinds, each as often as asked or all in turn until the time is over, and counts."""

import contextlib
import ctypes
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chaos import invariants, mounts
from chaos.images import remove_containers, remove_images
from chaos.kind import Kind, Trial, Unable, Violation
from chaos.report import Finding, Row
from chaos.site import Site

_PR_SET_CHILD_SUBREAPER = 36
_SCRATCH = 1_500_000_000  # bytes that all files of a trial may take together


def become_reaper() -> None:
    """Have every process whose parent has died come below this one, so that none can get lost."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class _Stuck(BaseException):
    """The trial's own time is over. No Exception, so that nothing on the way takes it for one of its own."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def end(signum: int, frame: object) -> None:
        raise _Stuck

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Campaign:
    """A run over kinds with one seed. Its scratch folder is removed at the end."""

    def __init__(self, site: Site, seed: int, note: Callable[[str], None]) -> None:
        self._site = site
        self._seed = seed
        self._note = note
        self._rows: dict[str, Row] = {}
        self._scratch = Path(tempfile.mkdtemp(prefix="bskernel-chaos-"))
        self._small = self._scratch / "small"
        self._used_engine = False

    def close(self) -> None:
        """Remove what it made."""
        invariants.end_descendants()
        if self._used_engine:
            remove_images(self._site.root)
        with contextlib.suppress(Unable):
            mounts.unmount(self._small)
        _remove(self._scratch)

    @property
    def rows(self) -> list[Row]:
        """The counts so far, in order of kind."""
        return [self._rows[name] for name in sorted(self._rows)]

    def run_all(self, kinds: Sequence[Kind], tries: Callable[[Kind], float], until: float) -> None:
        """Try kinds in turn, each so often, until the monotonic time."""
        number = 0
        waiting = list(kinds)
        while waiting and time.monotonic() < until:
            for kind in list(waiting):
                if number >= tries(kind) or not self.run(kind, number):
                    waiting.remove(kind)
                if time.monotonic() >= until:
                    break
            number += 1
        for kind in kinds:
            self._rows.setdefault(kind.name, Row(kind=kind.name, promise=kind.promise))

    def run(self, kind: Kind, number: int) -> bool:
        """Try a kind once; False when this machine cannot."""
        row = self._rows.setdefault(kind.name, Row(kind=kind.name, promise=kind.promise))
        folder = self._folder(kind)
        self._used_engine |= kind.container
        trial = Trial(kind.name, self._seed, number, folder, self._site)
        broken: Violation | None = None
        try:
            with _limited(kind.limit_s):
                kind.attempt(trial)
        except Violation as violation:
            broken = violation
        except Unable as unable:
            row.unable = str(unable)
            return False
        except _Stuck:
            broken = Violation(f"the trial did not end within {kind.limit_s:.0f} s", "hang")
        except Exception:  # noqa: BLE001 - one broken trial must not end hours of them
            broken = Violation(f"the trial itself failed: {traceback.format_exc(limit=-4)}")
        finally:
            invariants.end_descendants()
            if kind.container and (left := remove_containers(folder)):
                broken = broken or Violation(f"containers are left: {', '.join(left)}", "left over")
            _remove(folder)
        row.tried += trial.count
        for item, found in [*trial.noted, *([(trial.item, broken)] if broken is not None else [])]:
            row.violations.append(Finding(replay=trial.replay, item=item, breach=found.breach, message=str(found)))
            self._note(f"{trial.replay} {item}: {found}")
        return True

    def _folder(self, kind: Kind) -> Path:
        """Where the trial's files lie: in memory and bounded, unless an engine must see them."""
        if not kind.container:
            if not self._small.exists():
                with contextlib.suppress(Unable):
                    mounts.mount_memory(self._small, _SCRATCH)
            self._small.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._scratch if kind.container else self._small))


def _remove(folder: Path) -> None:
    mounts.unmount_below(folder)
    # rm walks folders of any depth.
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], capture_output=True, check=False)
