"""`bskernel export`: where a build comes from, and when its steps ran, for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import OUTPUT_FILE, PATH
from bskernel.cli.output import echo, print_note, write_text
from bskernel.core.errors import ConfigError


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@click.option("--provenance", is_flag=True, help="An in-toto Statement v1 with SLSA v1 provenance.")
@click.option("--sbom", is_flag=True, help="A CycloneDX 1.6 bill of what the executors are made of.")
@click.option("--trace", is_flag=True, help="When each step waited and ran, for Perfetto or chrome://tracing.")
@click.option(
    "--crate",
    type=PATH,
    metavar="DIR | FILE.zip",
    help="A new folder or ZIP file: an RO-Crate of the Workflow Run profile, with BUILD in it.",
)
@click.option(
    "--sign",
    "key",
    type=PATH,
    metavar="KEY",
    help="Sign the provenance with this private key: ed25519 or ECDSA, PEM.",
)
@click.option("--sigstore", is_flag=True, help="Sign the provenance with your identity, by Sigstore's servers.")
@OUTPUT_FILE
def export(
    build: Path | None,
    provenance: bool,
    sbom: bool,
    trace: bool,
    crate: Path | None,
    key: Path | None,
    sigstore: bool,
    output: Path | None,
) -> None:
    """Write where a build comes from, or its timeline.

    But for --trace, every file of BUILD is first compared with what its result says; a damaged directory is refused
    with exit code 8. The JSON goes to standard output, or to the file of --output.

    With --sign, the provenance is put into a signed DSSE envelope: a line of JSON, by default in the file
    BUILD.intoto.jsonl beside BUILD, where `bskernel verify --signed-by` looks for it. With --sigstore, a CI job's
    identity signs it, or yours after a login in the browser; the bundle goes to BUILD.sigstore.json.
    """
    from bskernel_protocol import pretty_json

    if [provenance, sbom, trace, crate is not None].count(True) != 1:
        raise ConfigError("give one of --provenance, --sbom, --crate and --trace")
    if (key is not None or sigstore) and not provenance:
        raise ConfigError(
            f"{'--sign' if key is not None else '--sigstore'} needs --provenance",
            hint="provenance names the artifacts and the executors; the others do not",
        )
    if key is not None and sigstore:
        raise ConfigError("give one of --sign and --sigstore")
    directory = or_found_build(build)
    if crate is not None:
        _export_crate(directory, crate, output)
        return
    if key is not None or sigstore:
        _export_signed(directory, key, output)
        return
    text = pretty_json(_export(directory, provenance=provenance, sbom=sbom))
    if output is None:
        echo(text, nl=False)
    else:
        write_text(output, text)


def _export(build: Path, *, provenance: bool, sbom: bool) -> object:
    if provenance or sbom:
        from bskernel.commands.export import export_bill, export_provenance
        from bskernel.workspace.workspace import Workspace

        return export_provenance(build) if provenance else export_bill(Workspace.here(), build)
    from bskernel.commands.report import export_trace

    return export_trace(build)


def _export_signed(build: Path, key: Path | None, output: Path | None) -> None:
    """Write provenance that the key has signed; without a key, the user's identity."""
    from bskernel.commands import export as exports
    from bskernel.commands.sigstore_bundle import SUFFIX as BUNDLE
    from bskernel.config.key_file import load_signing_key

    if key is not None:
        target = output or exports.place_of_signature(build)
        text = exports.export_signed(build, load_signing_key(key))
    else:
        target = output or exports.place_of_signature(build, BUNDLE)
        text = exports.export_by_identity(build)
    write_text(target, text)
    print_note(f"written: {target}")


def _export_crate(build: Path, crate: Path, output: Path | None) -> None:
    from bskernel.commands.crate import export_crate

    if output is not None:
        raise ConfigError("--output goes with other forms", hint="--crate names the folder or file itself")
    made = export_crate(build, crate)
    echo(f"{made.path}: {made.files} files of the build, and what describes them")
