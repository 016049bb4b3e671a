"""`bskernel new-executor`: the package of an executor of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_result

if TYPE_CHECKING:
    from bskernel.commands.new_executor import NewPackage


@click.command("new-executor")
@click.argument("name")
@click.option("--directory", type=PATH, metavar="DIR", help="Folder to write to. Default: NAME.")
@JSON
def new_executor(name: str, directory: Path | None, as_json: bool) -> None:
    """Write the package of a new executor, with one example entry.

    The package has code, a recipe with its lock and catalogue, a test, a CI job and an example build. It works as it
    is; nothing is overwritten. See docs/writing-an-executor.md.
    """
    from bskernel.commands.new_executor import write_package

    print_result(write_package(name, directory), _describe, as_json=as_json)


def _describe(package: NewPackage) -> str:
    import shlex

    lines = [f"{package.folder / path}" for path in package.files]
    lines += [
        "",
        f"your entries go into {package.folder / 'src' / package.module / 'entries.py'}. Try the example:",
        "",
        f"    cd {shlex.quote(str(package.folder))}",
        "    export BSKERNEL_RECIPES=$PWD",
        "    bskernel run example/build.toml",
        "",
        "after you change an entry's name, parameters, inputs or outputs:",
        "",
        f"    bskernel images describe {package.name} --write",
    ]
    return "\n".join(lines)
