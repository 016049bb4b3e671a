"""Environments of the tests' own, for libraries that the workspace does not install: each made once, from pins."""

import fcntl
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT


def make_environment(name: str, requirements: Path) -> Path:
    """The Python of an environment in .tools/NAME. It is made again when the requirements change."""
    environment = ROOT / ".tools" / name
    environment.parent.mkdir(exist_ok=True)
    with environment.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be making it
        return _make_environment(environment, requirements)


def _make_environment(environment: Path, requirements: Path) -> Path:
    python, stamp = environment / "bin" / "python", environment / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        # Tests import a part of what is installed: to compile all of it takes half of the time.
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "-r"]
        subprocess.run([*install, str(requirements)], check=True)
        stamp.write_text(requirements.read_text())
    return python
