"""Recipes of executors, and the environments and container images built from them."""

from bskernel.images.description import describe
from bskernel.images.environment import Environment, ensure_environment, why_not_here
from bskernel.images.recipe import (
    Recipe,
    choose_recipes,
    environment_variables,
    find_recipes,
    load_executors,
    locate_root,
)
from bskernel.images.status import RecipeState, check, state_on

__all__ = [
    "Environment",
    "Recipe",
    "RecipeState",
    "check",
    "choose_recipes",
    "describe",
    "ensure_environment",
    "environment_variables",
    "find_recipes",
    "load_executors",
    "locate_root",
    "state_on",
    "why_not_here",
]
