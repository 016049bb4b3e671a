"""Import the installed Brainsmith and all steps of its registry, without Vivado and torch."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.stub_modules import TORCH, stub_modules

StepFunction = Callable[[Any, Any], Any]
# Where a recipe's kept [[source]] is installed; FINN reads its RTL library from its own source tree.
TREES = Path(sys.prefix, "src")


def _refuse_verification(*_args: object, **_kwargs: object) -> NoReturn:
    raise StepFailure(
        category="environment",
        message="this step uses FINN's own verification, which needs torchvision and brevitas",
        hint="remove verify_steps",
    )


def _bind_test_helpers() -> None:
    """Replace FINN's test helpers, which its step module imports: they need torchvision and networks of brevitas."""
    if importlib.util.find_spec("torchvision") is None:
        helpers = types.ModuleType("finn.util.test")
        helpers.__dict__["execute_parent"] = _refuse_verification
        sys.modules["finn.util.test"] = helpers


def _make_build_dir(prefix: str = "") -> str:
    return tempfile.mkdtemp(prefix=prefix, dir=os.environ["FINN_BUILD_DIR"])


def _bind_build_dir() -> None:
    """Replace FINN's make_build_dir, which edits "/tmp" in paths: names would contain this machine's folders."""
    importlib.import_module("finn.util.basic").__dict__["make_build_dir"] = _make_build_dir


def load() -> dict[str, StepFunction]:
    """Import Brainsmith and return every step of its registry by its qualified name, SOURCE:STEP."""
    if (TREES / "finn").is_dir():
        os.environ.setdefault("FINN_ROOT", str(TREES / "finn"))
    # Brainsmith looks for a project above the working directory and caches a list of components there.
    os.environ["BSMITH_PROJECT_DIR"] = sys.prefix
    os.environ["BSMITH_CACHE_COMPONENTS"] = "false"
    with stub_modules(*TORCH):
        _bind_test_helpers()
        _bind_build_dir()
        importlib.import_module("brainsmith")
        registry = importlib.import_module("brainsmith.registry")
        steps: dict[str, StepFunction] = {name: registry.get_step(name) for name in registry.list_steps()}
        for name in ("brainsmith.dse", "finn.util.basic", "qonnx.core.modelwrapper"):
            importlib.import_module(name)
    return steps


def resolve(name: str) -> StepFunction:
    """Return the step that Brainsmith finds for a name, qualified or short."""
    function: StepFunction = importlib.import_module("brainsmith.registry").get_step(name)
    return function
