"""`bskernel lock`: what decides a build's bytes, by digest."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.options import CONFIG, FROM, INPUT_TYPE, JSON, OUTPUT_TYPE, SET, TO, BuildSelection
from bskernel.cli.output import print_note, print_result

if TYPE_CHECKING:
    from bskernel.commands.lock import WrittenLock


@click.command()
@CONFIG
@FROM
@TO
@INPUT_TYPE
@OUTPUT_TYPE
@SET
@click.option("--upgrade", metavar="EXECUTOR", help="Change the lock's entry of this executor, and nothing else.")
@click.option("--images", is_flag=True, help="Pin each executor's image, too; those that are missing are made.")
@JSON
def lock(
    config: Path,
    first: str | None,
    last: str | None,
    input_type: str | None,
    output_type: str | None,
    settings: tuple[str, ...],
    upgrade: str | None,
    images: bool,
    as_json: bool,
) -> None:
    """Write what decides CONFIG's bytes to a lock file.

    The lock of build.toml is build.lock beside it, that of slow.toml is slow.lock. It has the digests of the model
    and of every given file, the configuration and the steps as planned, and each executor with its parts.
    `bskernel run --locked` builds exactly that, and refuses anything else.
    """
    from bskernel.commands.lock import write_lock
    from bskernel.workspace.workspace import Workspace

    selection = BuildSelection(config, first, last, input_type, output_type, settings, None)
    workspace = Workspace.here()
    prepared = workspace.prepare(config, settings=settings, range_request=selection.range_request())
    written = write_lock(workspace, prepared, upgrade, with_images=images, report=print_note)
    print_result(written, _describe, as_json=as_json)


def _counted(items: Sized, what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _describe(written: WrittenLock) -> str:
    lock = written.lock
    counts = ", ".join(
        (_counted(lock.flow, "step"), _counted(lock.executors, "executor"), _counted(lock.files, "given file"))
    )
    if written.changed is None:
        lines = [f"{written.path}: {counts}"]
    elif not written.changed:
        lines = [f"{written.path}: unchanged: {counts}"]
    else:
        lines = [f"{written.path}: {counts}", *(f"  {difference}" for difference in written.changed)]
    if written.left:
        lines.append("still different from what is here:")
        lines += [f"  {difference}" for difference in written.left]
    return "\n".join(lines)
