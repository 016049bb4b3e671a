"""The form of a build's numbers: the output `metrics` of a step. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.core.record_form import find_value_fault

METRICS = "metrics"  # the output with a build's numbers; the newest of that name counts
METRICS_LARGEST = 64 << 20  # bytes
FORMAT = "format"  # the key of metrics.json, beside the numbers, that says how to read them
METRICS_FORMAT = 1  # changes when a reader of the file before could misread it


def decode_metrics(data: bytes) -> dict[str, Any]:
    """The numbers in a metrics.json. Raises ValueError with what is wrong, for anything but a JSON object
    without a key `format`.

    Values are finite, and nest at most as deep as a record.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"no JSON: {error}") from None
    except RecursionError:
        raise ValueError("nests too deep") from None
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    if FORMAT in value:
        raise ValueError(f"the key {FORMAT!r} is metrics.json's own")
    fault = find_value_fault(value, METRICS)
    if fault is not None:
        raise ValueError(fault)
    return value
