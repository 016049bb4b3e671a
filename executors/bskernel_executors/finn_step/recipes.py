"""Recipes of streamlining and conversion: their data (recipes.toml), and which one a network needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from bskernel_executors.finn_step.graph_features import NAMES

Purpose: TypeAlias = Literal["streamline", "convert_to_hw"]
AUTO = "auto"


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transformation, a step of FINN or a rewrite; `when` names the feature that it is for. Or a group of them."""

    name: str = ""
    group: str | None = None
    when: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        if bool(self.name) == (self.group is not None):
            raise ValueError(f"{self}: needs either `name` or `group`")
        if self.when is not None and self.when not in NAMES:
            raise ValueError(f"{self.name}: unknown feature {self.when!r}; choose from {', '.join(sorted(NAMES))}")


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Transformations in order; with `repeat`, until nothing changes."""

    run: tuple[Item, ...]
    repeat: bool = False


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stages in order, and the features (`for`, `always`) of which a network must have one."""

    name: str
    summary: str
    stage: tuple[Stage, ...]
    features: tuple[str, ...] = msgspec.field(name="for", default=())
    always: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for feature in (*self.features, *self.always):
            if feature not in NAMES:
                raise ValueError(f"recipe {self.name}: unknown feature {feature!r}")


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of transformations that stages share."""

    name: str
    run: tuple[Item, ...]


class RecipesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of recipes.toml; the first recipe of each purpose is the one for chains."""

    streamline: tuple[Recipe, ...]
    convert_to_hw: tuple[Recipe, ...]
    group: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        groups = {group.name for group in self.group}
        for recipe in (*self.streamline, *self.convert_to_hw):
            unknown = [
                item.group for stage in recipe.stage for item in stage.run if item.group not in {None, *groups}
            ]
            if unknown:
                raise ValueError(f"recipe {recipe.name}: unknown group {unknown[0]!r}")
        for recipes in (self.streamline, self.convert_to_hw):
            names = [recipe.name for recipe in recipes]
            if AUTO in names or len(set(names)) < len(names) or not names:
                raise ValueError(f"recipes need names of their own, other than {AUTO!r}: {', '.join(names)}")
            if recipes[0].features or recipes[0].always:
                raise ValueError(f"recipe {names[0]} comes first, so it is for every network and needs no `for`")


@cache
def load_recipes() -> RecipesFile:
    """Load recipes.toml. Raises ValueError with the file's name."""
    path = Path(__file__).with_name("recipes.toml")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=RecipesFile)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name}: {error}") from error


def recipes_for(purpose: Purpose) -> tuple[Recipe, ...]:
    """Return the recipes of a purpose with their groups written out, the one for chains first."""
    file = load_recipes()
    groups = {group.name: group.run for group in file.group}

    def write_out(stage: Stage) -> Stage:
        lists = [groups[item.group] if item.group is not None else (item,) for item in stage.run]
        return msgspec.structs.replace(stage, run=tuple(item for items in lists for item in items))

    recipes = file.streamline if purpose == "streamline" else file.convert_to_hw
    return tuple(msgspec.structs.replace(recipe, stage=tuple(map(write_out, recipe.stage))) for recipe in recipes)
