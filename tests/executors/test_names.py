"""The rules for names in CONTRIBUTING.md, as far as they can be counted."""

import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "executors" / "bskernel_executors"
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_a_class_name_is_used_once() -> None:
    nodes = (node for path in MODULES for node in ast.walk(ast.parse(path.read_text())))
    counts = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert counts
    assert [name for name, count in counts.items() if count > 1] == []
