"""Networks exported by Brevitas, in an environment of the tests' own that is made once."""

import subprocess
from pathlib import Path

from support.own_environment import make_environment
from support.paths import TESTS

_SOURCES = TESTS / "brevitas_networks"


def export_networks(folder: Path, *names: str) -> Path:
    """Write NAME.onnx, NAME.npz and NAME_outputs.npy for each name into `folder` (tests/brevitas_networks)."""
    python = make_environment("brevitas", _SOURCES / "requirements.txt")
    command = [str(python), "-W", "ignore", str(_SOURCES / "networks.py"), str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder
