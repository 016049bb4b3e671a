"""Imports a Blueprint as the text of a build.toml for the executor brainsmith. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bskernel.blueprint.fields import FILES, OWN, TARGET, entry_of
from bskernel.blueprint.model import Blueprint, Note
from bskernel.blueprint.steps import count_paths, paths
from bskernel.config.toml_text import to_toml
from bskernel.core.errors import ConfigError


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """One build.toml per path through the branch points, and notes on what was lost."""

    texts: tuple[str, ...]
    notes: tuple[Note, ...]


def _as_clock(value: Any, where: str) -> float:
    """A clock period in ns; YAML takes 5e0 for a text. Raises ConfigError."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"{where} = {value!r} is not a number", hint="give the clock period in ns, e.g. 5.0"
        ) from None


class _Writer:
    """Collects the tables of a build.toml and notes."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.notes: list[Note] = []
        self.build: dict[str, Any] = {}
        self.target: dict[str, Any] = {"clock_ns": blueprint.clock_ns}
        self.parameters: dict[str, Any] = {}
        self.files: dict[str, str] = {}

    def note(self, kind: Any, where: str, value: Any, why: str) -> None:
        self.notes.append(Note(kind=kind, where=where, value=value, why=why))

    def head(self, model: str) -> None:
        """[build], [target], and the parameters that a blueprint has."""
        given = self.blueprint
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", given.name).strip("-._")
        if name != given.name:
            self.note("changed", "name", given.name, f"a build's name is a folder name: {name or 'the model'}")
        self.build = {"name": name} if name else {}
        self.build |= {"model": model, "backend": "brainsmith"}
        if given.description:
            self.note("lost", "description", given.description, "a build has none: it is kept as a comment")
        if given.board is not None:
            self.target["board"] = given.board
        if given.output != "estimates":
            self.parameters["output"] = given.output
        if given.kernels:
            self.parameters["kernels"] = list(given.kernels)

    def finn(self) -> None:
        """finn_config: the target's values, files, and parameters of the executor."""
        for key, value in self.blueprint.finn_config.items():
            where = f"finn_config.{key}"
            if value is None:
                self.note("changed", where, None, "left out: null is FINN's default")
            elif key in OWN:
                self.note("lost", where, value, "the executor's own business: where things go, what is shown")
            elif key in TARGET:
                self._override(key, value, where)
            elif key in FILES:
                self.files[key] = str(value)
                if not str(value).startswith("/"):
                    self.note("changed", where, value, "its folder is now build.toml's, not the working directory")
            elif isinstance(value, bool | int | float | str):
                self.parameters[key] = value
            else:
                self.note("lost", where, value, "only plain values can be parameters")

    def _override(self, key: str, value: Any, where: str) -> None:
        name = TARGET[key]
        if name in self.target and self.target[name] != value:
            why = f"finn_config overrides {name}: target.{name} has its value"
            self.note("changed", where, value, why)
        self.target[name] = _as_clock(value, where) if name == "clock_ns" else value

    def steps(self, names: Sequence[str]) -> list[str]:
        """[[step]] tables, files given to the steps that read them."""
        lines = []
        unread = dict(self.files)
        for name in names:
            if "." in name or name.count(":") > 1:
                self.note("lost", "design_space.steps", name, "an entry's name has no dot and one source")
                continue
            lines += ["", "[[step]]", f"entry = {to_toml(entry_of(name))}"]
            given = {
                FILES[field].name: path
                for field, path in self.files.items()
                if name.rpartition(":")[2] in FILES[field].steps
            }
            for field in [field for field in unread if name.rpartition(":")[2] in FILES[field].steps]:
                del unread[field]
            if given:
                lines.append(f"inputs = {to_toml(given)}")
        for field, path in unread.items():
            self.note("lost", f"finn_config.{field}", path, f"no step reads it: {', '.join(FILES[field].steps)}")
        return lines

    def ends(self, names: Sequence[str]) -> dict[str, str]:
        """[flow]: the range of steps."""
        found = {}
        for key, name in (("from", self.blueprint.start_step), ("to", self.blueprint.stop_step)):
            if name is None:
                continue
            if name in names:
                found[key] = entry_of(name).partition(":")[2]
            else:
                self.note(
                    "lost", "start_step" if key == "from" else "stop_step", name, "no step has exactly this name"
                )
        return found

    def text(self, names: Sequence[str], number: str) -> str:
        """One build.toml."""
        comments = [f"# {line}" for line in (self.blueprint.name, *self.blueprint.description.splitlines()) if line]
        build = dict(self.build)
        if number:
            build["name"] = f"{build.get('name', 'path')}-{number}"
        lines = [*comments, "[build]", *(f"{key} = {to_toml(value)}" for key, value in build.items())]
        lines += ["", "[target]", *(f"{key} = {to_toml(value)}" for key, value in self.target.items())]
        ends = self.ends(names)
        if ends:
            lines += ["", "[flow]", *(f"{key} = {to_toml(value)}" for key, value in ends.items())]
        if self.parameters:
            values = (f"{key} = {to_toml(value)}" for key, value in self.parameters.items())
            lines += ["", "[parameters.brainsmith]", *values]
        return "\n".join([*lines, *self.steps(names)]) + "\n"


def import_blueprint(blueprint: Blueprint, model: str, limit: int) -> Imported:
    """One build.toml per path, first options first; at most `limit`, with a note on the rest."""
    writer = _Writer(blueprint)
    writer.head(model)
    writer.finn()
    count = count_paths(blueprint.steps)
    texts = []
    for at, names in zip(range(limit), paths(blueprint.steps), strict=False):
        before = len(writer.notes)
        texts.append(writer.text(names, str(at + 1) if count > 1 and limit > 1 else ""))
        if at:
            del writer.notes[before:]
    if count > len(texts):
        branches = [step for step in blueprint.steps if isinstance(step, tuple)]
        why = f"a build is one path, but this has {count}: --into FOLDER writes a build.toml for each"
        writer.note("lost", "design_space.steps", branches, why)
    return Imported(texts=tuple(texts), notes=tuple(writer.notes))
