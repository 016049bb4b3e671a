"""Recipes of streamlining and conversion: the shipped data, and what is refused in it."""

import json

import msgspec
import pytest
from bskernel_executors.finn_step.graph_features import NAMES
from bskernel_executors.finn_step.recipes import RecipesFile, load_recipes, recipes_for
from support.paths import ROOT

CHAIN = {"name": "chain", "summary": "s", "stage": [{"run": [{"name": "step_streamline"}]}]}


@pytest.mark.parametrize("purpose", ["streamline", "convert_to_hw"])
def test_a_chain_gets_finns_own_step_and_nothing_else(purpose: str) -> None:
    chain = recipes_for(purpose)[0]  # type: ignore[arg-type]
    assert [[item.name for item in stage.run] for stage in chain.stage] == [[f"step_{purpose}"]]


@pytest.mark.parametrize("purpose", ["streamline", "convert_to_hw"])
def test_groups_are_written_out(purpose: str) -> None:
    items = [item for recipe in recipes_for(purpose) for stage in recipe.stage for item in stage.run]  # type: ignore[arg-type]
    assert all(item.name and item.group is None for item in items)
    assert "MoveAddPastMul" in {item.name for item in items}


def test_every_feature_of_the_shipped_recipes_is_one_that_is_looked_for() -> None:
    file = load_recipes()
    named = {
        name for recipe in (*file.streamline, *file.convert_to_hw) for name in (*recipe.features, *recipe.always)
    }
    assert named <= NAMES


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"name": "other", "summary": "s", "stage": [], "for": ["forkes"]}, "unknown feature 'forkes'"),
        ({"name": "other", "summary": "s", "stage": [], "always": ["forkes"]}, "unknown feature 'forkes'"),
        ({"name": "auto", "summary": "s", "stage": []}, "names of their own"),
        ({"name": "chain", "summary": "s", "stage": []}, "names of their own"),
        ({"name": "other", "summary": "s", "stage": [{"run": [{"group": "none"}]}]}, "unknown group 'none'"),
        ({"name": "other", "summary": "s", "stage": [{"run": [{"name": "A", "group": "g"}]}]}, "either `name` or"),
        ({"name": "other", "summary": "s", "stage": [{"run": [{"name": "A", "when": "forkes"}]}]}, "unknown feature"),
        ({"name": "other", "summary": "s", "stage": [{"runs": []}]}, "unknown field `runs`"),
    ],
)
def test_a_recipe_that_could_not_run_is_refused(other: object, text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=text):
        msgspec.convert({"streamline": [CHAIN, other], "convert_to_hw": [CHAIN]}, RecipesFile)


def test_a_first_recipe_with_conditions_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="comes first"):
        msgspec.convert({"streamline": [{**CHAIN, "for": ["forks"]}], "convert_to_hw": [CHAIN]}, RecipesFile)


@pytest.mark.parametrize("version", ["finn-plus-1.6.1", "finn-plus-1.4.0"])
def test_finns_library_steps_are_entries_and_names_that_clash_have_a_prefix(version: str) -> None:
    path = ROOT / "images" / "finn-step" / version / "catalogue.json"
    names = {entry["name"] for entry in json.loads(path.read_text(encoding="utf-8"))["entries"]}
    assert {"step_resnet50_streamline", "step_resnet50_convert_to_hw", "step_mobilenet_lower_convs"} <= names
    assert {"step_convert_to_hw", "transformer_adhoc_step_convert_to_hw"} <= names
