"""`bskernel verify`: a build directory checked, built again and compared."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.build_argument import or_found_build
from bskernel.cli.candidates import complete_build
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_note, print_result
from bskernel.core.errors import ConfigError

if TYPE_CHECKING:
    from bskernel.commands.verification import SecondBuild, Verification

_SHOWN = 20  # damaged files; more are counted


@click.command()
@click.argument("build", type=PATH, required=False, shell_complete=complete_build)
@click.option("--model", type=PATH, metavar="FILE", help="The model that was built, if it is not in BUILD.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process", "other"]),
    default="auto",
    envvar="BSKERNEL_RUNTIME",
    show_default=True,
    show_envvar=True,
    help="Where the second build runs; other is the runtime that BUILD did not use.",
)
@click.option("--vary", metavar="WHAT,...", help="Run the second build with another of these (see above).")
@click.option(
    "--runs",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Number of second builds; 0 checks the files of BUILD alone.",
)
@click.option("--signed-by", type=PATH, metavar="KEY", help="Public key that must have signed BUILD.")
@click.option("--signed-by-identity", metavar="NAME", help="Identity that must have signed BUILD by way of Sigstore.")
@click.option("--issuer", metavar="URL", help="Who vouches for that identity, e.g. https://accounts.google.com.")
@click.option(
    "--trusted-root", type=PATH, metavar="FILE", help="Another Sigstore than the public one: its trusted_root.json."
)
@click.option(
    "--signature",
    type=PATH,
    metavar="FILE",
    help="Signed provenance. Default: BUILD.intoto.jsonl beside BUILD; of an identity BUILD.sigstore.json.",
)
@click.option("--into", type=PATH, metavar="DIR", help="New folder for both sides of a difference.")
@JSON
def verify(
    build: Path | None,
    model: Path | None,
    runtime: str,
    vary: str | None,
    runs: int,
    signed_by: Path | None,
    signed_by_identity: str | None,
    issuer: str | None,
    trusted_root: Path | None,
    signature: Path | None,
    into: Path | None,
    as_json: bool,
) -> None:
    """Check a build directory, and build it again to compare.

    First, every file of BUILD is compared with what its result says. Then the build is laid out from its lock, run
    without any cached result, and every output of every step is compared. The first step that differs is named, and
    its difference is shown by keys, nodes or lines; both sides are kept.

    With --signed-by, BUILD must have provenance that this key has signed (bskernel export --provenance --sign), and
    that names exactly the artifacts of BUILD. With --signed-by-identity and --issuer, that identity must have signed
    it (bskernel export --provenance --sigstore).

    --vary takes a list of path, user, time (its zone), locale, cpus, hash-seed and umask.

    The executors must be those of the lock: use the release of bskernel that the lock names. The model and other
    given files are looked for in BUILD (bskernel run --with-inputs), in the cache, and where the build found them.

    Exit codes: 0 verified, 7 the executors here are not the locked ones, 8 BUILD is damaged, 9 the second build made
    other bytes, 10 BUILD is not signed by
    whom you named.
    """
    from bskernel.commands import verification
    from bskernel.commands.sigstore_bundle import SigningIdentity
    from bskernel.verification.variation import VARIED
    from bskernel.workspace.workspace import Workspace

    varied = tuple(dict.fromkeys(name for name in (vary or "").split(",") if name))
    if unknown := [name for name in varied if name not in VARIED]:
        raise ConfigError(f"--vary {vary}: unknown: {unknown[0]}", hint=f"a list of: {', '.join(VARIED)}")
    directory = or_found_build(build)
    if (signed_by_identity is None) != (issuer is None):
        raise ConfigError("--signed-by-identity and --issuer go together", hint="anybody can vouch for any name")
    options = verification.VerifyOptions(
        runtime=runtime,
        varied=varied,
        runs=runs,
        model=model,
        into=into,
        signed_by=signed_by,
        identity=SigningIdentity(name=signed_by_identity, issuer=issuer) if signed_by_identity and issuer else None,
        trusted_root=trusted_root,
        signature=signature,
    )
    found = verification.verify(
        Workspace.here(), directory.resolve(), options, environment=os.environ, note=print_note
    )
    print_result(found, _describe, as_json=as_json)
    sys.exit(found.exit_code)


def _describe(found: Verification) -> str:
    if found.status == "damaged":
        lines = [f"  {damage}" for damage in found.damage[:_SHOWN]]
        if len(found.damage) > _SHOWN:
            lines.append(f"  and {len(found.damage) - _SHOWN} more")
        count = len(found.damage)
        what = "1 file is not as the build wrote it"
        if count != 1:
            what = f"{count} files are not as the build wrote them"
        return "\n".join([*lines, f"DAMAGED: {what}: {found.build}"])
    if found.status == "unsigned":
        return f"  {found.unsigned}\nUNSIGNED: not signed by whom you named: {found.build}"
    if found.status == "differs":
        return "\n".join([*_difference(found), f"DIFFERS: the second build made other bytes: {found.build}"])
    builds = found.second_builds
    signed = f", signed by {found.signed_by}" if found.signed_by is not None else ""
    if not builds:
        return f"INTACT: {found.files} files{signed}; nothing was built again: {found.build}"
    times = "" if len(builds) == 1 else f", {len(builds)} times"
    varied = f", with another {', '.join(found.varied)}" if found.varied else ""
    return (
        f"VERIFIED: {found.files} files intact{signed}; {builds[0].outputs} outputs of all steps made again{times}, "
        f"byte for byte, runtime {builds[0].runtime}{varied}: {found.build}"
    )


def _difference(found: Verification) -> list[str]:
    ended: SecondBuild = found.second_builds[-1]
    first, rest = ended.differing[0], ended.differing[1:]
    why = "its inputs were the same" if first.same_inputs else "its inputs differ"
    lines = [f"  first difference: step {first.step} ({first.executor}:{first.entry}); {why}"]
    if first.failed is not None:
        lines.append(f"    it failed in the second build: {first.failed}")
    lines += [f"    {line}" for line in ended.shown]
    if rest:
        lines.append(f"  after it: {', '.join(step.step for step in rest)}")
    return [*lines, f"  both sides: {found.kept}"]
