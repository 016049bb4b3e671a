"""`bskernel export`: where a build comes from, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import OUTPUT_FILE, PATH
from bskernel.cli.output import echo, write_text
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@click.option("--provenance", is_flag=True, help="An in-toto Statement v1 with SLSA v1 provenance.")
@click.option("--sbom", is_flag=True, help="A CycloneDX 1.6 bill of what the executors are made of.")
@OUTPUT_FILE
def export(build: Path | None, provenance: bool, sbom: bool, output: Path | None) -> None:
    """Write where a build comes from, for other tools.

    Every file of BUILD is first compared with what its result says; a damaged directory is refused with exit code 8.
    The JSON goes to standard output, or to the file of --output. It is not signed.
    """
    from bskernel_protocol import pretty_json

    from bskernel.commands.export import export_bill, export_provenance
    from bskernel.workspace.workspace import Workspace

    if provenance == sbom:
        raise ConfigError("give one of --provenance and --sbom")
    directory = or_found_build(build)
    text = pretty_json(export_provenance(directory) if provenance else export_bill(Workspace.here(), directory))
    if output is None:
        echo(text, nl=False)
    else:
        write_text(output, text)
