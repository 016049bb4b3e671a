"""Empty torch modules while a library is imported that names torch and seldom needs it.

torch takes 700 MB and seconds to import. What uses it after all is told what is missing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Any

from bskernel_executors.sdk.step import StepFailure

_TORCH_MODULES = ("torch", "torch.nn", "torch.nn.functional")
# These look for torch themselves, so they are imported before the empty torch modules are in place.
_LOOK_FOR_TORCH = ("scipy.stats", "sklearn.base", "onnx_ir", "onnx_passes")


class _NoTorch(types.ModuleType):
    """An empty torch module: a plain attribute error would not say what is missing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise StepFailure(
            category="environment",
            message=f"this model has a layer that computes with torch ({self.__name__}.{name})",
            hint="the executor is locked without torch; LayerNorm's floating-point fallback cannot run in it",
        )


@contextlib.contextmanager
def empty_torch() -> Iterator[None]:
    """Empty torch modules while FINN's custom operators are imported, unless torch is installed."""
    if importlib.util.find_spec("torch") is not None:
        yield
        return
    for name in _LOOK_FOR_TORCH:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    modules = {name: _NoTorch(name) for name in _TORCH_MODULES}
    modules["torch"].__dict__["nn"] = modules["torch.nn"]
    modules["torch.nn"].__dict__["functional"] = modules["torch.nn.functional"]
    modules["torch"].__dict__["Tensor"] = type("Tensor", (), {})
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in _TORCH_MODULES:
            sys.modules.pop(name, None)
