"""What the entries `streamline` and `convert_to_hw` add to FINN's steps: parameters, held scores, the summary."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from bskernel_executors.finn_step.graph_features import is_join
from bskernel_executors.finn_step.mapping_reasons import explain_unmapped
from bskernel_executors.finn_step.recipe_run import Choice, find_stuck, run_chosen
from bskernel_executors.finn_step.recipes import AUTO, Purpose, recipes_for
from bskernel_executors.finn_step.rewrites import clip_thresholds_of_counts
from bskernel_executors.finn_step.scores_at_the_end import HeldScores
from bskernel_executors.sdk import parameter

_LABELS = {"streamline": "streamlining", "convert_to_hw": "conversion"}


def recipe_parameters(purpose: Purpose, fields: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Add `recipe` and `transformations` to the fields of FINN's configuration that the step reads."""
    names = ", ".join([AUTO, *(recipe.name for recipe in recipes_for(purpose))])
    recipe = Annotated[str, parameter(f"which order of transformations: {names}")]
    own = Annotated[
        tuple[str, ...],
        parameter(
            "instead of a recipe: transformations of FINN and qonnx, or steps of FINN, each run once, in order"
        ),
    ]
    return msgspec.defstruct(
        f"Parameters_{purpose}",
        [("recipe", recipe, AUTO), ("transformations", own, ())],
        bases=(fields,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def run_by_recipe(model: Any, config: Any, purpose: Purpose, recipe: str, own: tuple[str, ...]) -> tuple[Any, Choice]:
    """Run the chosen transformations; return the model and what was chosen."""
    if purpose == "streamline":
        model, choice = run_chosen(model, config, purpose, recipe, own)
        return model, _warn_of_fractions(model, choice)
    held = HeldScores(model)
    model, choice = run_chosen(model, config, purpose, recipe, own)
    model = held.put_back(model)
    clipped = clip_thresholds_of_counts(model)
    names = tuple(f"{node.op_type} {node.name}" for node in held.nodes)
    return model, msgspec.structs.replace(choice, on_host=names, clipped=tuple(clipped))


def _warn_of_fractions(model: Any, choice: Choice) -> Choice:
    """Warn of joins that could not get integers: hardware would compute them in floating point."""
    found = []
    for node in find_stuck(model):
        if is_join(model, node):
            reason = explain_unmapped(model, node)
            found.append(f"{node.op_type} {node.name} computes with fractions: {reason.what}; {reason.remedy}")
    return msgspec.structs.replace(choice, warnings=(*choice.warnings, *found))


def make_rows(purpose: Purpose, choice: Choice) -> list[dict[str, str]]:
    """Make the rows of the build's report."""
    rows = [{"label": _LABELS[purpose], "value": choice.recipe, "note": choice.why}] if choice.why else []
    rows += [{"label": "on the host", "value": name, "note": "after the accelerator"} for name in choice.on_host]
    rows += [
        {
            "label": "thresholds",
            "value": name,
            "note": "those below 0 are 0 now: the layer counts, so nothing changes",
        }
        for name in choice.clipped
    ]
    rows += [{"label": "warning", "value": text, "note": _LABELS[purpose]} for text in choice.warnings]
    return rows
