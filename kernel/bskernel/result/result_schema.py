"""The JSON Schemas of result.json, metrics.json and build.lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.metrics_form import FORMAT, METRICS_FORMAT
from bskernel.lock.build_lock import LOCK_FORMAT, BuildLock
from bskernel.result.build_result import RESULT_FORMAT, BuildResult
from bskernel.result.quantities import STAGES

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def result_schema() -> dict[str, Any]:
    """The schema of result.json, from its type."""
    return _schema(BuildResult, f"result.json of bskernel, format {RESULT_FORMAT}")


def lock_schema() -> dict[str, Any]:
    """The schema of build.lock, from its type."""
    return _schema(BuildLock, f"build.lock of bskernel, format {LOCK_FORMAT}")


def metrics_schema() -> dict[str, Any]:
    """The schema of metrics.json: names are the executors' own, but a number has one form wherever it stands."""
    value = {"$ref": "#/$defs/Value"}
    quantity = {
        "type": "object",
        "description": "one number: value in unit, at a stage, from a source",
        "properties": {
            "value": {"type": "number"},
            "unit": {"type": "string"},
            "stage": {"enum": list(STAGES)},
            "source": {"type": "string"},
        },
        "required": ["value", "unit", "stage", "source"],
    }
    return {
        "$schema": _DRAFT,
        "title": f"metrics.json of bskernel, format {METRICS_FORMAT}",
        "type": "object",
        "properties": {FORMAT: {"const": METRICS_FORMAT}},
        "required": [FORMAT],
        "additionalProperties": value,
        "$defs": {
            "Quantity": quantity,
            "Value": {
                "anyOf": [
                    {"type": ["null", "boolean", "number", "string"]},
                    {"type": "array", "items": value},
                    {"$ref": "#/$defs/Quantity"},
                    {"$ref": "#/$defs/Group"},
                ]
            },
            "Group": {
                "type": "object",
                "description": "values by name; what has a value and a stage is a quantity, and complete",
                "not": {"required": ["value", "stage"]},
                "additionalProperties": value,
            },
        },
    }


def _schema(type_: type[msgspec.Struct], title: str) -> dict[str, Any]:
    (reference,), definitions = msgspec.json.schema_components(
        [type_], schema_hook=_path_as_string, ref_template="#/$defs/{name}"
    )
    return {"$schema": _DRAFT, "title": title, **reference, "$defs": definitions}


def _path_as_string(type_: type) -> dict[str, Any]:
    if type_ is Path:
        return {"type": "string"}
    raise NotImplementedError(type_)
