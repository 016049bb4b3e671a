"""Load functions that users write, from a folder of theirs, and locate their errors by file and line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_executors.sdk.step import StepFailure

_HINT = "write module:function; the module must be in the folder that inputs.source names, or be installed"


def load_function(name: str, source: Path | None) -> Callable[..., Any]:
    """Load the function that "module:function" names, from the folder `source` or an installed module.

    Raises StepFailure (config) if there is no such function, and whatever the module raises when it is imported.
    """
    module_name, _, function_name = name.partition(":")
    if source is not None:
        sys.path.insert(0, str(source))
    sys.dont_write_bytecode = True
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, function_name)
    except (ImportError, AttributeError, ValueError) as error:
        # The user's module exists but imports a library that is missing: the user must see that error.
        if find_user_frame(error, source) is not None:
            raise
        raise StepFailure(category="config", message=f"unknown function {name!r}: {error}", hint=_HINT) from error
    own = source is not None and (source / (module_name.partition(".")[0] + ".py")).exists()
    if own and not str(getattr(module, "__file__", "")).startswith(f"{source}/"):
        raise StepFailure(
            category="config",
            message=f"{name!r}: a module named {module_name!r} is already installed",
            hint=f"rename {module_name}.py",
        )
    if not callable(function):
        raise StepFailure(category="config", message=f"{name!r} is a {type(function).__name__}, not a function")
    found: Callable[..., Any] = function
    return found


def find_user_frame(error: BaseException, source: Path | None) -> str | None:
    """Return `file:line` of the innermost frame in the user's folder, or None if the error is not from there."""
    if source is None:
        return None
    if isinstance(error, SyntaxError) and str(error.filename).startswith(f"{source}/"):
        return f"{Path(str(error.filename)).relative_to(source)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(f"{source}/")]
    return f"{Path(frames[-1].filename).relative_to(source)}:{frames[-1].lineno}" if frames else None
