"""Functions that users write: found by name in a folder of theirs, and their errors told by file and line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bskernel_executors.sdk.step import StepFailure

_WRITE = "write module:function; the module lies in the folder that inputs.source names, or is installed"


def load_function(name: str, source: Path | None) -> Callable[..., Any]:
    """The function that "module:function" names, in `source` or among what is installed.

    Raises StepFailure (config) when there is none, and whatever the module raises when it is imported.
    """
    module_name, _, function_name = name.partition(":")
    if source is not None:
        sys.path.insert(0, str(source))
    sys.dont_write_bytecode = True
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, function_name)
    except (ImportError, AttributeError, ValueError) as error:
        # A library that the user's own module lacks is not the module itself.
        if user_frame(error, source) is not None:
            raise
        raise StepFailure(
            category="config", message=f"there is no function {name!r}: {error}", hint=_WRITE
        ) from error
    own = source is not None and (source / (module_name.partition(".")[0] + ".py")).exists()
    if own and not str(getattr(module, "__file__", "")).startswith(f"{source}/"):
        raise StepFailure(
            category="config",
            message=f"{name!r}: another module is called {module_name!r} already",
            hint=f"give {module_name}.py another name",
        )
    if not callable(function):
        raise StepFailure(category="config", message=f"{name!r} is a {type(function).__name__}, not a function")
    found: Callable[..., Any] = function
    return found


def user_frame(error: BaseException, source: Path | None) -> str | None:
    """`file:line` where the error arose in the user's folder, innermost; None when it did not."""
    if source is None:
        return None
    if isinstance(error, SyntaxError) and str(error.filename).startswith(f"{source}/"):
        return f"{Path(str(error.filename)).relative_to(source)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(f"{source}/")]
    return f"{Path(frames[-1].filename).relative_to(source)}:{frames[-1].lineno}" if frames else None
