"""`bskernel blueprint import | export`: builds exchanged with Brainsmith."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_config
from bskernel.cli.options import PATH, SET
from bskernel.cli.output import echo, print_note, write_file
from bskernel.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bskernel.blueprint.model import Note

_NOTES = click.option("--notes", type=PATH, metavar="FILE", help="Also write the remarks to this file, as JSON.")


@click.group()
def blueprint() -> None:
    """Exchange builds with Brainsmith, as blueprints (YAML).

    Whatever the other format cannot express is listed on standard error.
    """


def _report(notes: Sequence[Note], path: Path | None) -> None:
    from bskernel_protocol import pretty_json

    for note in notes:
        print_note(str(note))
    if path is not None:
        write_file(path, pretty_json(notes).encode())


@blueprint.command("import")
@click.argument("file", type=PATH)
@click.option(
    "--model",
    default="model.onnx",
    show_default=True,
    metavar="FILE",
    help="Value of build.model; blueprints do not contain it.",
)
@click.option("--into", type=PATH, metavar="DIR", help="Write a build.toml for every path through the branch points.")
@click.option(
    "--limit", default=64, show_default=True, help="Maximum number of build.toml files to write with --into."
)
@_NOTES
def import_(file: Path, model: str, into: Path | None, limit: int, notes: Path | None) -> None:
    """Print the build.toml of a blueprint.

    At each branch point of FILE the first option is used; --into writes all of them.
    """
    from bskernel.blueprint.importer import import_blueprint
    from bskernel.blueprint.reader import read_blueprint

    found, read = read_blueprint(file)
    imported = import_blueprint(found, model, limit if into is not None else 1)
    _report((*read, *imported.notes), notes)
    if into is None:
        echo(imported.texts[0], nl=False)
        return
    into.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(imported.texts, 1):
        name = f"{file.stem}-{number}.toml" if len(imported.texts) > 1 else f"{file.stem}.toml"
        write_file(into / name, text.encode())
        echo(str(into / name))


@blueprint.command()
@click.argument("configs", nargs=-1, type=PATH, shell_complete=complete_config)
@SET
@_NOTES
def export(configs: tuple[Path, ...], settings: tuple[str, ...], notes: Path | None) -> None:
    """Print the blueprint of one or more build.toml files.

    CONFIGS that differ in their steps become one blueprint with branch points; by default, the build.toml of the
    current folder.
    """
    from bskernel.blueprint.exporter import export_build, join, to_yaml
    from bskernel.flow.loader import load_config
    from bskernel.workspace.backend import with_backend_flow
    from bskernel.workspace.project_folder import find_config
    from bskernel.workspace.workspace import Workspace

    configs = configs or (find_config(),)
    workspace = Workspace.here()
    known = workspace.executors.entries("brainsmith")
    names = None if known is None else frozenset(entry.replace(".", ":") for entry in known)
    builds = []
    for path in configs:
        loaded = with_backend_flow(load_config(path, settings))
        builds.append(export_build(loaded, names))
    exported = join(builds, [str(path) for path in configs])
    if not exported.blueprint.steps:
        raise ConfigError(f"{configs[0]}: none of its steps can be expressed in a blueprint")
    _report(exported.notes, notes)
    echo(to_yaml(exported.blueprint), nl=False)
