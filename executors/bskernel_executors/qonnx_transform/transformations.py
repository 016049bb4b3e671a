"""Find QONNX transformations by short or dotted name."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from typing import Any

import msgspec

from bskernel_executors.sdk import StepFailure


class TransformSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transformation with arguments."""

    name: str
    args: dict[str, Any] = {}


def list_transformations() -> dict[str, list[type]]:
    """List all transformations of the installed qonnx by short name."""
    import qonnx.transformation
    from qonnx.transformation.base import Transformation

    found: dict[str, list[type]] = {}
    for module_info in pkgutil.walk_packages(qonnx.transformation.__path__, "qonnx.transformation."):
        try:
            module = importlib.import_module(module_info.name)
        except ImportError:
            continue  # needs a library that the lock file leaves out; with a dotted name, the error says which
        for name, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Transformation) and member.__module__ == module.__name__:
                found.setdefault(name, []).append(member)
    return found


def _find(name: str) -> type:
    if "." in name:
        module, _, member = name.rpartition(".")
        try:
            found: type = getattr(importlib.import_module(module), member)
        except (ImportError, AttributeError) as error:
            raise StepFailure(category="config", message=f"unknown transformation {name!r}") from error
        return found
    known = list_transformations()
    matches = known.get(name, [])
    if len(matches) == 1:
        return matches[0]
    if matches:
        dotted = ", ".join(f"{match.__module__}.{name}" for match in matches)
        raise StepFailure(
            category="config", message=f"{name!r} is the name of several transformations", hint=f"use one of {dotted}"
        )
    near = difflib.get_close_matches(name, list(known), n=5, cutoff=0.4)
    raise StepFailure(
        category="config",
        message=f"qonnx has no transformation {name!r}",
        hint=f"near: {', '.join(near) or 'none'}; all: {', '.join(sorted(known))}",
    )


def make_transformation(spec: str | TransformSpec) -> Any:
    """Make a transformation with its arguments. Raises StepFailure (config) with the choices."""
    name, args = (spec, {}) if isinstance(spec, str) else (spec.name, spec.args)
    transformation = _find(name)
    signature = inspect.signature(transformation)
    try:
        signature.bind(**args)
    except TypeError as error:
        raise StepFailure(
            category="config", message=f"{name}: {error}", hint=f"signature: {name}{signature}"
        ) from error
    return transformation(**args)
