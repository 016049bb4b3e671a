"""Compiles an executor's packages and sources ahead: in a read-only container every start would compile them again.

Python uses the bytecode without checking the source: both are in a folder or image named by the sources' digest. The
bytes depend on the sources and on the release of Python, not on where, when and by whom they are compiled.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking

# What an image calls the folders of environment and code, and the one that holds both.
INSTALLED = "/opt/bskernel"
ENVIRONMENT, CODE = f"{INSTALLED}/env", f"{INSTALLED}/code"
_PROGRAM = Path(__file__).with_name("bytecode_main.py")


def compile_below(folder: Path, shown: str, python: Sequence[str], into: Path | None = None) -> None:
    """Compile the sources below a folder, which images hold at the path `shown`, by the Python of this command.

    All processors compile. The bytecode goes beside the sources, or beside where they would be below `into`.

    Raises EnvironmentLacking.
    """
    import subprocess

    shares = len(os.sched_getaffinity(0))
    places = (str(folder), str(into or folder), shown)
    start = [*python, "-I", "-S", "-W", "ignore", str(_PROGRAM), *places]
    compilers = [
        subprocess.Popen(
            [*start, str(share), str(shares)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
            cwd="/",
        )
        for share in range(shares)
    ]
    said = [compiler.communicate()[1] for compiler in compilers]
    for compiler, text in zip(compilers, said, strict=True):
        if compiler.returncode:
            lines = text.decode("utf-8", "replace").strip().splitlines()
            raise EnvironmentLacking(f"{python[-1]} cannot compile the sources in {folder}: {' '.join(lines[-1:])}")
