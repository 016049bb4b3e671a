"""Recipes of executors, and the environments and container images built from them."""

from bskernel.images.environment import Environment, ensure_environment, why_not_here
from bskernel.images.recipe import Recipe, environment_variables, load_executors
from bskernel.images.recipe_lookup import require_recipe, select_recipe, select_recipes
from bskernel.images.recipe_path import (
    NamedFolder,
    find_recipes,
    locate_root,
    named_folders,
    recipes_here,
    search_recipes,
)

__all__ = [
    "Environment",
    "NamedFolder",
    "Recipe",
    "ensure_environment",
    "environment_variables",
    "find_recipes",
    "load_executors",
    "locate_root",
    "named_folders",
    "recipes_here",
    "require_recipe",
    "search_recipes",
    "select_recipe",
    "select_recipes",
    "why_not_here",
]
