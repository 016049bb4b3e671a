"""The rules for names in CONTRIBUTING.md, as far as they can be counted."""

import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "executors" / "bskernel_executors"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_no_module_outside_the_sdk_is_named_by_a_gerund() -> None:
    assert MODULES
    assert [path for path in MODULES if path.stem.endswith("ing") and path.parent.name != "sdk"] == []


def test_a_class_name_is_used_once() -> None:
    nodes = (node for path in MODULES for node in ast.walk(ast.parse(path.read_text())))
    counts = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert counts
    assert [name for name, count in counts.items() if count > 1] == []
