"""Stub modules for libraries that another library imports but seldom uses.

torch, for example, takes 700 MB and seconds to import. Code that does use a stub fails and names the missing library.
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
# These check for torch themselves, so they are imported before the stubs are in place.
_CHECK_FOR_TORCH = ("scipy.stats", "sklearn.base", "onnx_ir", "onnx_passes")


class _Stub(types.ModuleType):
    """An empty module. Using it fails with the library's name: an AttributeError would not say what is missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        library = self.__name__.partition(".")[0]
        raise StepFailure(
            category="environment",
            message=f"this model has a layer that needs {library} ({self.__name__}.{name})",
            hint=f"{library} is not in this executor's lock file; layers that need it cannot run",
        )


@contextlib.contextmanager
def stub_modules(*names: str, unused: Collection[str] = ()) -> Iterator[None]:
    """Put stubs into sys.modules under these names, parents before children; installed libraries are left alone.

    `unused` names libraries that check for torch but are not imported inside the `with` block.
    """
    missing = [name for name in names if importlib.util.find_spec(name.partition(".")[0]) is None]
    if any(name.startswith("torch") for name in missing):
        for name in (name for name in _CHECK_FOR_TORCH if name not in unused):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    modules = {name: _Stub(name) for name in missing}
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
        for name in missing:
            sys.modules.pop(name, None)
