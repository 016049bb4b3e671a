"""Find what a recipe names: a rewrite, a step of FINN, or a transformation of the installed FINN or qonnx."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, TypeAlias

from bskernel_executors.finn_step.rewrites import REWRITES
from bskernel_executors.sdk import StepFailure

Operation: TypeAlias = Callable[[Any, Any], Any]  # (model, cfg) -> model

# The transformations of qonnx that FINN's steps use come with these modules; qonnx has more than a session needs.
_PACKAGES = ("finn.transformation.streamline", "finn.transformation.fpgadataflow.convert_to_hw")
_MODULES = (
    "finn.builder.build_dataflow_steps",
    "finn.transformation.fpgadataflow.convert_to_hw_layers",
    "finn.transformation.move_reshape",
    "qonnx.transformation.bipolar_to_xnor",
    "qonnx.transformation.change_datalayout",
    "qonnx.transformation.double_to_single_float",
    "qonnx.transformation.fold_constants",
    "qonnx.transformation.general",
    "qonnx.transformation.infer_data_layouts",
    "qonnx.transformation.infer_datatypes",
    "qonnx.transformation.infer_shapes",
    "qonnx.transformation.insert_topk",
    "qonnx.transformation.lower_convs_to_matmul",
    "qonnx.transformation.remove",
)


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None  # of another version of FINN


@cache
def list_transformations() -> dict[str, type]:
    """List the installed transformations by name."""
    from qonnx.transformation.base import Transformation

    names = list(_MODULES)
    for name in _PACKAGES:
        package = _import(name)
        names += [
            name,
            *(f"{name}.{module.name}" for module in pkgutil.iter_modules(getattr(package, "__path__", ()))),
        ]
    found: dict[str, type] = {}
    for module in filter(None, map(_import, names)):
        for name, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Transformation) and member is not Transformation:
                found.setdefault(name, member)
    return found


def _bounded(kind: type, limit: int) -> Any:
    """Make a transformation that is applied at most `limit` times in a row: qonnx repeats it while it says so."""
    transformation: Any = kind()
    apply, count = transformation.apply, 0

    def apply_bounded(model: Any) -> tuple[Any, bool]:
        nonlocal count
        count += 1
        model, again = apply(model)
        return model, again and count < limit

    transformation.apply = apply_bounded
    return transformation


def find_operation(name: str) -> Operation | None:
    """Find what a name means, or None if the installed FINN does not have it."""
    if name in REWRITES:
        return lambda model, _: REWRITES[name](model)
    steps: dict[str, Operation] = importlib.import_module(
        "finn.builder.build_dataflow_steps"
    ).build_dataflow_step_lookup
    if name in steps:
        return steps[name]
    kind = list_transformations().get(name)
    if kind is None:
        return None
    # The recipe's model is its own: qonnx need not copy it each time.
    return lambda model, _: model.transform(_bounded(kind, 2 * len(model.graph.node) + 8), make_deepcopy=False)


def require_operation(name: str) -> Operation:
    """Find what a name means. Raises StepFailure (config) if the installed FINN does not have it."""
    found = find_operation(name)
    if found is None:
        known = [*list_transformations(), *REWRITES]
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
        raise StepFailure(
            category="config",
            message=f"the installed FINN has no transformation {name!r}",
            hint=f"similar: {', '.join(near)}" if near else "name a class of finn.transformation.streamline",
        )
    return found
