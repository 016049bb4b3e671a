"""`bskernel bundle`: an archive for a bug report."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bskernel.cli.candidates import complete_build
from bskernel.cli.options import OUTPUT_FILE, PATH
from bskernel.cli.output import echo, write_file
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@OUTPUT_FILE
@click.option("--with-model", is_flag=True, help="Include the model and its external data, unchanged.")
@click.option("--redact", "more", multiple=True, metavar="TEXT", help="Also remove this text everywhere. Repeatable.")
def bundle(build: Path | None, output: Path | None, with_model: bool, more: tuple[str, ...]) -> None:
    """Pack a build into an archive for a bug report.

    The archive, by default NAME.bskernel.tar.gz, holds the logs, the configuration and versions of BUILD, and the
    output of `bskernel doctor`; without BUILD, nothing else.

    Removed are your home directory, user and host names, secrets in environment variables, whatever looks like a
    secret, and absolute paths. CONTENTS.txt in the archive lists its files. Read them before you send it.
    """
    from bskernel.commands import bundle as bundle_command
    from bskernel.commands.doctor import diagnose
    from bskernel.images import locate_root
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    build = build.resolve() if build is not None else None
    redactor = bundle_command.make_redactor(build, workspace.cache, locate_root(), more)
    files = bundle_command.collect_files(
        build, bundle_command.machine_facts(diagnose(workspace, os.environ)), redactor
    )
    model = bundle_command.find_model(build, workspace.store) if with_model and build is not None else None
    if with_model and model is None:
        if build is None:
            raise ConfigError("--with-model needs a build directory", hint="bskernel bundle BUILD --with-model")
        raise ConfigError(
            f"{build}: its model is no longer in the cache", hint="leave out --with-model, or run the build again"
        )
    packed = bundle_command.pack(files, redactor, name="bundle", model=model)
    target = output or Path(f"{build.name if build is not None else 'machine'}.bskernel.tar.gz")
    write_file(target, packed.data)
    for path, size in packed.files.items():
        echo(f"  {path}  {size} B")
    removed = ", ".join(f"{kind} ({count})" for kind, count in packed.redacted.items())
    echo(f"  removed: {removed or 'nothing'}")
    echo(f"{target}: {len(packed.data)} B; read it before you send it")
