"""What must hold of a run that is interrupted while the stand-in hangs."""

import signal
import subprocess
import sys
from pathlib import Path

from bskernel.runtime.session_dirs import owner_of, processes_of
from support.paths import ROOT


def assert_an_interrupt_ends_all(arguments: list[str], surroundings: dict[str, str], cache: Path, least: int) -> None:
    """`bskernel run` with these arguments comes to where a tool hangs, in a session of at least so many processes."""
    kernel = subprocess.Popen(
        [str(Path(sys.executable).parent / "bskernel"), "run", "--verbose", *arguments],
        env=surroundings | {"BSKERNEL_ROOT": str(ROOT), "BSKERNEL_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert kernel.stderr is not None
    assert any(b"STAND-IN: hangs now" in line for line in iter(kernel.stderr.readline, b""))
    # Other tests have sessions beside these.
    owners = {path.parent.name: owner_of(path.parent) for path in (cache / "sessions").glob("*/owner.json")}
    sessions = [name for name, owner in owners.items() if owner is not None and owner.pid == kernel.pid]
    assert any(len(processes_of(session)) >= least for session in sessions)
    kernel.send_signal(signal.SIGINT)
    assert kernel.wait(timeout=30) == 130
    kernel.stderr.close()
    assert [processes_of(session) for session in sessions] == [[] for _ in sessions]
