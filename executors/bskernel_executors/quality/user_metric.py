"""A user's own quality metric: a function in a folder."""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import StepFailure


def compute_user_metric(text: str, source: Path | None, outputs: Any, labels: Any) -> dict[str, float]:
    """Call `module:function` of the folder with outputs (N, values) and labels (N,); return {name: result}.

    Raises StepFailure (config) when the function is unknown, fails, or returns no finite number.
    """
    module, _, name = text.partition(":")
    if source is not None and str(source) not in sys.path:
        sys.path.insert(0, str(source))
    sys.dont_write_bytecode = True
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise StepFailure(
            category="config",
            message=f"quality.metric: unknown function {text!r}: {error}",
            hint="write module:function, with the module in the folder that quality.source names",
        ) from error
    if labels is None:
        raise StepFailure(
            category="config", message=f"quality.metric {text!r} needs labels, but the samples have none"
        )
    try:
        value = float(function(outputs, labels))
    except Exception as error:
        raise StepFailure(
            category="config", message=f"quality.metric {text!r} failed: {type(error).__name__}: {error}"
        ) from error
    if not math.isfinite(value):
        raise StepFailure(category="config", message=f"quality.metric {text!r} returned {value}, not a finite number")
    return {name: value}
