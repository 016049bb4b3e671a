"""Empty modules in place of libraries that a library names while it is imported, and seldom needs.

torch, for one, takes 700 MB and seconds to import. What uses it after all is told what is missing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Collection, Iterator
from typing import Any

from bskernel_executors.sdk.step import StepFailure

TORCH = ("torch", "torch.nn", "torch.nn.functional")
# These look for torch themselves, so they are imported before empty modules are in place.
_LOOK_FOR_TORCH = ("scipy.stats", "sklearn.base", "onnx_ir", "onnx_passes")


class _Empty(types.ModuleType):
    """An empty module: a plain attribute error would not say what is missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        library = self.__name__.partition(".")[0]
        raise StepFailure(
            category="environment",
            message=f"this model has a layer that computes with {library} ({self.__name__}.{name})",
            hint=f"the executor is locked without {library}: what falls back to it cannot run in it",
        )


@contextlib.contextmanager
def empty_modules(*names: str, unused: Collection[str] = ()) -> Iterator[None]:
    """Empty modules of these names, parents before children, but for libraries that are installed.

    `unused` are libraries that look for torch, but that nothing imports meanwhile.
    """
    absent = [name for name in names if importlib.util.find_spec(name.partition(".")[0]) is None]
    if any(name.startswith("torch") for name in absent):
        for name in (name for name in _LOOK_FOR_TORCH if name not in unused):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    modules = {name: _Empty(name) for name in absent}
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            modules[parent].__dict__[child] = module
    if "torch" in modules:
        modules["torch"].__dict__["Tensor"] = type("Tensor", (), {})
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
