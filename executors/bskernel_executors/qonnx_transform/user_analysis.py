"""Call the user's own analysis with the model, and check its result."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.user_code import find_user_frame, load_function

_SHOWN = 70  # characters of one value in a table


class Analysis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """analysis.json: the result of a user's function."""

    function: str
    params: dict[str, Any]
    result: dict[str, Any]


def check_json(value: Any, where: str = "result") -> Any:
    """Return the value as JSON: dicts with string keys, lists, text, finite numbers, true, false, null.

    Tuples become lists, numpy's scalars Python's numbers. Raises StepFailure that names any other value.
    """
    if hasattr(value, "item") and hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise StepFailure(message=f"{where} is {value}, but whole numbers must fit 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise StepFailure(message=f"{where} is {value}, but numbers must be finite", hint="leave the value out")
    if isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        return [check_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise StepFailure(message=f"{where} has the key {key!r}, but keys must be text")
        return {key: check_json(item, f"{where}.{key}") for key, item in value.items()}
    raise StepFailure(
        message=f"{where} is a {type(value).__name__}, but must be a dict, list, text, number, true, false or null"
    )


def analyse(
    name: str,
    source: Path | None,
    model: Any,
    metrics: dict[str, Any] | None,
    params: dict[str, Any],
) -> Analysis:
    """Call function(model, metrics, params). Raises StepFailure: config if it is unknown, or the error in it."""
    try:
        result = load_function(name, source)(model, metrics, params)
    except (StepFailure, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise _describe_error(name, source, error) from error
    if not isinstance(result, Mapping):
        raise StepFailure(
            message=f"{name} returned a {type(result).__name__}, not a dict",
            hint="an analysis is function(model, metrics, params) -> dict",
        )
    return Analysis(function=name, params=params, result=check_json(result))


def _describe_error(name: str, source: Path | None, error: BaseException) -> StepFailure:
    """Make the failure of a user's function, with file and line in the user's code."""
    where = find_user_frame(error, source) or name
    first = (str(error).strip().splitlines() or ["(no message)"])[0]
    hint = None
    if isinstance(error, TypeError) and find_user_frame(error, source) is None:
        hint = "an analysis is function(model, metrics, params) -> dict"
    return StepFailure(message=f"{where}: {type(error).__name__}: {first}", hint=hint)


def make_result_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Make table rows from the result's first level, with nested values as short JSON."""

    def shown(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.6g}"
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

    return [[key, shown(value)] for key, value in result.items()]
