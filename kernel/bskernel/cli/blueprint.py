"""`bskernel blueprint import | export`: builds exchanged with Brainsmith."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bskernel.blueprint.model import Note

_NOTES = click.option(
    "--notes", type=click.Path(path_type=Path), help="Write what is lost or changed to this file, as JSON."
)


@click.group()
def blueprint() -> None:
    """Exchange builds with Brainsmith: blueprints (YAML) to build.toml and back.

    What the other side cannot say is listed on standard error, nothing is dropped in silence.
    """


def _tell(notes: Sequence[Note], path: Path | None) -> None:
    from bskernel_protocol import pretty_json

    for note in notes:
        click.echo(str(note), err=True)
    if path is not None:
        path.write_text(pretty_json(notes), encoding="utf-8")


@blueprint.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model", default="model.onnx", show_default=True, help="What build.model says: a blueprint names none."
)
@click.option(
    "--into", type=click.Path(path_type=Path), help="Write a build.toml for each path through branch points."
)
@click.option("--limit", default=64, show_default=True, help="At most so many paths with --into.")
@_NOTES
def import_(file: Path, model: str, into: Path | None, limit: int, notes: Path | None) -> None:
    """Print the build.toml of a blueprint FILE; of branch points, the first options."""
    from bskernel.blueprint.importer import import_blueprint
    from bskernel.blueprint.reader import read_blueprint

    found, read = read_blueprint(file)
    imported = import_blueprint(found, model, limit if into is not None else 1)
    _tell((*read, *imported.notes), notes)
    if into is None:
        click.echo(imported.texts[0], nl=False)
        return
    into.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(imported.texts, 1):
        name = f"{file.stem}-{number}.toml" if len(imported.texts) > 1 else f"{file.stem}.toml"
        (into / name).write_text(text, encoding="utf-8")
        click.echo(str(into / name))


@blueprint.command("export")
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the configs.")
@_NOTES
def export(configs: tuple[Path, ...], settings: tuple[str, ...], notes: Path | None) -> None:
    """Print the blueprint of CONFIGS; several that differ in their steps become one with branch points."""
    from bskernel.blueprint.exporter import export_build, join, to_yaml
    from bskernel.flow.loader import load_config
    from bskernel.workspace.backend import with_backend_flow
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    known = workspace.executors.entries("brainsmith")
    names = None if known is None else frozenset(entry.replace(".", ":") for entry in known)
    builds = []
    for path in configs:
        loaded = with_backend_flow(load_config(path, settings))
        builds.append(export_build(loaded, names))
    exported = join(builds, [str(path) for path in configs])
    if not exported.blueprint.steps:
        raise ConfigError(f"{configs[0]}: a blueprint can name none of its steps")
    _tell(exported.notes, notes)
    click.echo(to_yaml(exported.blueprint), nl=False)
