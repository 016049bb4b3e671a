"""Runs in FINN's own environment: packs values as FINN does, and as the executor does in FINN's place.

Each line of its input is a case in JSON, each line of its output both results: words, or the kind of an error.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what FINN prints is no answer

import numpy as np  # noqa: E402
from bskernel_executors.finn_step.memory_words import pack_words_with  # noqa: E402
from finn.util.data_packing import pack_innermost_dim_as_hex_string  # noqa: E402
from qonnx.core.datatype import DataType  # noqa: E402

left_to_finn: list[str] = []


def pack_by_finn(*given: Any, **named: Any) -> Any:
    left_to_finn.append("words")
    return pack_innermost_dim_as_hex_string(*given, **named)


def attempt(pack: Callable[..., Any], case: dict[str, Any]) -> dict[str, Any]:
    values = np.asarray(case["values"], dtype=case["container"]).reshape(case["shape"])
    try:
        words = pack(values, DataType[case["datatype"]], case["word_bits"], case["reverse"], case["prefix"])
    except Exception as error:  # noqa: BLE001 - FINN raises AssertionError, Exception, and those of bitstring
        return {"error": type(error).__name__}
    return {"words": words.tolist(), "shape": list(words.shape), "kind": words.dtype.str}


for line in sys.stdin:
    case = json.loads(line)
    left_to_finn.clear()
    ours = attempt(pack_words_with(pack_by_finn), case)
    found = {"ours": ours, "left": len(left_to_finn), "finn": attempt(pack_innermost_dim_as_hex_string, case)}
    print(json.dumps(found), file=answers, flush=True)
