"""Choose a recipe for a network and run it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.finn_step.coverage import classify
from bskernel_executors.finn_step.graph_features import Features, find_features, has_feature, is_fork
from bskernel_executors.finn_step.mapping_reasons import explain_unmapped
from bskernel_executors.finn_step.recipes import AUTO, Item, Purpose, Recipe, Stage, recipes_for
from bskernel_executors.finn_step.transformation_lookup import find_operation, require_operation
from bskernel_executors.sdk import StepFailure

_ROUNDS = 24  # of a stage that repeats; residual networks with 50 layers need about ten
_SHOWN = 3
_LAYERS = frozenset(
    {"AveragePool", "Concat", "Conv", "ConvTranspose", "GlobalAveragePool", "Im2Col", "MatMul", "MaxPool"}
    | {"MaxPoolNHWC", "QuantAvgPool2d", "Resize", "Split", "Upsample", "XnorPopcountMatMul"}
)
_LOWERED = frozenset({"Conv"})  # hardware has it in another form


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The recipe that ran and why, what to warn about, nodes kept for the host, layers whose thresholds changed."""

    recipe: str
    why: str = ""  # empty for a chain, of which there is nothing to say
    warnings: tuple[str, ...] = ()
    on_host: tuple[str, ...] = ()
    clipped: tuple[str, ...] = ()


def _shorten(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _describe(features: Features) -> str:
    return "; ".join(f"{feature} ({len(names)}): {_shorten(names)}" for feature, names in features.items())


def _variables(model: Any, node: Any) -> list[str]:
    return [name for name in node.input if name and model.get_initializer(name) is None]


def find_stuck(model: Any) -> list[Any]:
    """Find layers of a streamlined model that hardware could compute, but not as they are: they take fractions.

    Layers that compute on the network's own float input are not among them: no order of transformations helps them.
    """
    made_of_integers: set[str] = set()  # tensors that depend on a tensor of integers
    stuck = []
    for node in model.graph.node:
        taken = _variables(model, node)
        fractions = [name for name in taken if not model.get_tensor_datatype(name).is_integer()]
        if len(fractions) < len(taken) or any(name in made_of_integers for name in taken):
            made_of_integers |= set(node.output)
        movable = [name for name in fractions if name in made_of_integers]
        joins = node.op_type in ("Add", "Mul", "Sub") and len(taken) > 1
        if node.op_type in _LOWERED or ((node.op_type in _LAYERS or joins) and movable):
            stuck.append(node)
    return stuck


def find_unmapped(model: Any) -> list[Any]:
    """Find nodes of a converted model that are not hardware, but compute on what hardware makes: layers, and nodes
    with hardware after them."""
    nodes = list(model.graph.node)
    return [
        node
        for node, part in zip(nodes, classify(nodes), strict=True)
        if part == "unmapped" or (part == "tail" and node.op_type in _LAYERS)
    ]


def find_bare_forks(model: Any) -> list[Any]:
    """Find hardware nodes whose stream several nodes read, hardware among them: only DuplicateStreams copies."""
    return [
        node
        for node in model.graph.node
        if is_hardware(node)
        and is_fork(model, node)
        and any(is_hardware(reader) for name in node.output for reader in model.find_consumers(name))
    ]


def _digest(model: Any) -> bytes:
    """A digest of nodes and constants. Inferred shapes, types and layouts follow from them."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (*model.graph.node, *model.graph.output, *model.graph.initializer):
        digest.update(part.SerializeToString(deterministic=True))
    return digest.digest()


def _tidy(model: Any) -> Any:
    """Sort and name the nodes, so that equal graphs have equal digests; infer shapes, types and layouts."""
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph
    from qonnx.transformation.infer_data_layouts import InferDataLayouts
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.transformation.remove import RemoveIdentityOps

    for transformation in (
        SortGraph(),
        RemoveIdentityOps(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
        InferShapes(),
        InferDataTypes(),
        InferDataLayouts(),
    ):
        model = model.transform(transformation, make_deepcopy=False)
    return model


def _run_item(model: Any, config: Any, item: Item) -> tuple[Any, bool]:
    """Run one transformation; return the model and whether it changed."""
    from qonnx.transformation.infer_datatypes import InferDataTypes

    operation = find_operation(item.name) if item.optional else require_operation(item.name)
    if operation is None or (item.when is not None and not has_feature(model, item.when)):
        return model, False
    before = _digest(model)
    model = operation(model, config)
    if _digest(model) == before:
        return model, False
    return model.transform(InferDataTypes(), make_deepcopy=False), True


def _run_stage(model: Any, config: Any, stage: Stage) -> tuple[Any, bool]:
    """Run a stage; return the model and whether it came to rest."""
    seen: set[bytes] = set()
    for _ in range(_ROUNDS if stage.repeat else 1):
        changed = False
        for item in stage.run:
            model, made = _run_item(model, config, item)
            changed = changed or made
        if changed:
            model = _tidy(model)
        now = _digest(model)
        if not stage.repeat or not changed or now in seen:
            return model, True
        seen.add(now)
    return model, False


def run_recipe(model: Any, config: Any, recipe: Recipe) -> tuple[Any, tuple[str, ...]]:
    """Run a recipe; return the model and warnings. A recipe of one step is that step and nothing else."""
    items = [item for stage in recipe.stage for item in stage.run]
    if len(items) == 1 and items[0].when is None:
        return require_operation(items[0].name)(model, config), ()
    warnings = []
    model = _tidy(model)
    for number, stage in enumerate(recipe.stage, start=1):
        model, rests = _run_stage(model, config, stage)
        if not rests:
            warnings.append(
                f"stage {number} of the recipe {recipe.name} still changed the network after {_ROUNDS} rounds"
            )
    return model, tuple(warnings)


def _find_recipe(name: str, recipes: tuple[Recipe, ...]) -> Recipe:
    for recipe in recipes:
        if recipe.name == name:
            return recipe
    choices = ", ".join([AUTO, *(recipe.name for recipe in recipes)])
    raise StepFailure(category="config", message=f"unknown recipe {name!r}", hint=f"recipes: {choices}")


def run_chosen(model: Any, config: Any, purpose: Purpose, name: str, own: tuple[str, ...]) -> tuple[Any, Choice]:
    """Run the transformations `own`, or else the recipe `name`, or else the one that the network needs."""
    recipes = recipes_for(purpose)
    if own:
        for item in own:
            model = require_operation(item)(model, config)
        return model, Choice(recipe="own", why=f"{len(own)} transformations of the build: {_shorten(own)}")
    if name != AUTO:
        model, warnings = run_recipe(model, config, _find_recipe(name, recipes))
        return model, Choice(recipe=name, why="named by the build", warnings=warnings)
    features = find_features(model)
    chain = recipes[0]
    fitting = next((recipe for recipe in recipes if {*recipe.features, *recipe.always} & features.keys()), None)
    if fitting is None:
        model, _ = run_recipe(model, config, chain)
        return model, Choice(recipe=chain.name)
    return _run_fitting(model, config, purpose, (chain, fitting), features)


def _run_fitting(
    model: Any, config: Any, purpose: Purpose, recipes: tuple[Recipe, Recipe], features: Features
) -> tuple[Any, Choice]:
    """Run the recipe for chains, and if it leaves layers behind, the other one on the model as it was."""
    chain, fitting = recipes
    certain = {name: nodes for name, nodes in features.items() if name in fitting.always}
    contains = _describe({**{name: nodes for name, nodes in features.items() if name in fitting.features}, **certain})
    if certain:
        model, warnings = run_recipe(model, config, fitting)
        return model, Choice(recipe=fitting.name, why=contains, warnings=warnings)
    try:
        after, warnings = run_recipe(copy.deepcopy(model), config, chain)
    except StepFailure:
        raise
    except Exception as error:  # noqa: BLE001 - the other recipe may do what FINN's own order cannot
        left = f"FINN's own order fails ({type(error).__name__}: {error})"
    else:
        stuck = find_stuck(after) if purpose == "streamline" else find_unmapped(after)
        forks = [] if stuck or purpose == "streamline" else find_bare_forks(after)
        if not stuck and not forks:
            why = f"{contains}; FINN's own order leaves no layer behind"
            return after, Choice(recipe=chain.name, why=why, warnings=warnings)
        if stuck:
            reason = explain_unmapped(after, stuck[0]).what
            left = f"FINN's own order leaves {len(stuck)} behind, first {stuck[0].name}: {reason}"
        else:
            left = f"FINN's own order copies no stream after {forks[0].name}"
    model, warnings = run_recipe(model, config, fitting)
    return model, Choice(recipe=fitting.name, why=f"{contains}; {left}", warnings=warnings)
