"""`bskernel explain | bundle`: what a build directory tells."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=click.Path(path_type=Path))
@click.argument("step", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def explain(build: Path, step: str | None, as_json: bool) -> None:
    """Why a step of a BUILD directory failed, or what a STEP was; without STEP the one that failed."""
    from bskernel_protocol import pretty_json

    from bskernel.report.explanation import describe_explanation, describe_steps
    from bskernel.result import explanation
    from bskernel.result.build_result import BuildResult
    from bskernel.result.result_file import read_result

    result = read_result(build, BuildResult)
    if step is None and result.failed_step is None:
        click.echo(pretty_json(result) if as_json else describe_steps(result), nl=not as_json)
        return
    told = explanation.explain(build, step)
    click.echo(pretty_json(told) if as_json else describe_explanation(told), nl=not as_json)


@click.command()
@click.argument("build", type=click.Path(path_type=Path), required=False)
@click.option("--output", type=click.Path(path_type=Path), help="File to write; NAME.bskernel.tar.gz by default.")
@click.option("--with-model", is_flag=True, help="Include the network, as it is.")
@click.option("--redact", "more", multiple=True, metavar="TEXT", help="Take this out too, wherever it stands.")
def bundle(build: Path | None, output: Path | None, with_model: bool, more: tuple[str, ...]) -> None:
    """Pack a BUILD directory for a bug report: logs, configuration, versions; private things are taken out.

    What `bskernel doctor` tells is in it; without a BUILD it is all that is.

    Taken out are home folder, user, host, secrets of environment variables, what looks like a secret, and absolute
    paths. CONTENTS.txt in the archive lists what it holds. Read it before you send it.
    """
    from bskernel.commands import bundle as bundle_command
    from bskernel.commands.doctor import diagnose
    from bskernel.images import locate_root
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    build = build.resolve() if build is not None else None
    redactor = bundle_command.redactor_here(build, workspace.cache, locate_root(), more)
    files = bundle_command.collect_files(build, bundle_command.facts_here(diagnose(workspace, os.environ)), redactor)
    model = bundle_command.model_of(build, workspace.store) if with_model and build is not None else None
    if with_model and model is None:
        if build is None:
            raise ConfigError("--with-model: name the BUILD directory whose model it is")
        raise ConfigError(f"{build}: the model is gone from the cache", hint="leave out --with-model, or build again")
    packed = bundle_command.pack(files, redactor, name="bundle", model=model)
    target = output or Path(f"{build.name if build is not None else 'machine'}.bskernel.tar.gz")
    try:
        target.write_bytes(packed.data)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    for path, size in packed.files.items():
        click.echo(f"  {path}  {size} B")
    taken = ", ".join(f"{kind} ({count})" for kind, count in packed.redacted.items())
    click.echo(f"  taken out: {taken or 'nothing'}")
    click.echo(f"{target}: {len(packed.data)} B; read it before you send it")
