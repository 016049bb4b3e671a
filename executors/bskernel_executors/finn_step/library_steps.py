"""The steps of FINN's custom step library (resnet, mobilenet, conv1d ...), as the installed package has them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Collection
from typing import Any

_PACKAGE = "finn.builder.custom_step_library"
_PARAMETERS = 2  # of a step function: model, cfg


def _is_step(member: Any, module: str) -> bool:
    """Is it a public function (model, cfg) that the module defines itself?"""
    if not inspect.isfunction(member) or member.__module__ != module or member.__name__.startswith("_"):
        return False
    names = list(inspect.signature(member).parameters)
    return len(names) == _PARAMETERS and names[0] == "model"


def find_library_steps(taken: Collection[str]) -> dict[str, Any]:
    """Find the library's steps by name. A name that is `taken`, or in two modules, gets its module's as a prefix."""
    try:
        package = importlib.import_module(_PACKAGE)
    except ImportError:
        return {}
    found: list[tuple[str, str, Any]] = []
    for info in pkgutil.iter_modules(package.__path__):
        try:
            module = importlib.import_module(f"{_PACKAGE}.{info.name}")
        except ImportError:
            continue  # it needs a library that the lock file leaves out
        for name, member in sorted(vars(module).items()):
            if _is_step(member, module.__name__):
                found.append((info.name, name, member))
    counts = Counter(name for _, name, _ in found)
    return {
        name if counts[name] == 1 and name not in taken else f"{module}_{name}": member
        for module, name, member in found
    }
