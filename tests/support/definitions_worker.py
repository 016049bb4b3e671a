"""Runs in FINN's own environment: compares definitions that are made once with those that a class makes for a node.

Each line of its input is the attributes of all nodes in JSON; each line of its output says which classes have other
definitions for such a node, and which classes make their own for each node.
"""

import json
import os
import sys
from typing import Any

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what FINN prints is no answer

import numpy as np  # noqa: E402
from bskernel_executors.finn_step.library import load  # noqa: E402
from bskernel_executors.sdk.attribute_shortcuts import find_definitions  # noqa: E402

load()

from onnx import helper  # noqa: E402
from qonnx.custom_op.base import CustomOp  # noqa: E402


def subclasses(kind: type) -> set[type]:
    direct: list[type] = kind.__subclasses__()
    return {*direct, *(below for inner in direct for below in subclasses(inner))}


def are_equal(definition: Any, known: Any) -> bool:
    return bool(np.all([repr(part) == repr(other) for part, other in zip((*definition, None), known, strict=False)]))


kinds = [kind for kind in subclasses(CustomOp) if not getattr(kind, "__abstractmethods__", None)]
for line in sys.stdin:
    own, other = set(), set()
    for kind in kinds:
        definitions = find_definitions(kind)
        if definitions is None:
            own.add(kind.__name__)
            continue
        operation: Any = object.__new__(kind)  # what is made for a node reads more of it, as if it were whole
        operation.onnx_node = helper.make_node("Layer", ["a"], ["b"], **json.loads(line))
        made = operation.get_nodeattr_types()
        same = made.keys() == definitions.keys() and all(
            known is None or are_equal(made[name], known) for name, known in definitions.items()
        )
        if not same:
            other.add(kind.__name__)
    found = {"kinds": len(kinds), "own": sorted(own), "other": sorted(other)}
    print(json.dumps(found), file=answers, flush=True)
