"""Networks exported by Brevitas, in an environment of the tests' own that is made once."""

import fcntl
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT, TESTS

_SOURCES = TESTS / "brevitas_networks"
_ENVIRONMENT = ROOT / ".tools" / "brevitas"
_PYTHON = _ENVIRONMENT / "bin" / "python"


def make_environment() -> Path:
    """The Python that has Brevitas and torch. Its environment is made again when the requirements change."""
    _ENVIRONMENT.parent.mkdir(exist_ok=True)
    with (_ENVIRONMENT.parent / "brevitas.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be making it
        return _make_environment()


def _make_environment() -> Path:
    requirements = (_SOURCES / "requirements.txt").read_text()
    stamp = _ENVIRONMENT / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], check=True)
        install = [str(_PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "-r"]
        subprocess.run([*install, str(_SOURCES / "requirements.txt")], check=True)
        stamp.write_text(requirements)
    return _PYTHON


def export_networks(folder: Path, *names: str) -> Path:
    """Write NAME.onnx, NAME.npz and NAME_outputs.npy for each name into `folder` (tests/brevitas_networks)."""
    command = [str(make_environment()), "-W", "ignore", str(_SOURCES / "networks.py"), str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder
