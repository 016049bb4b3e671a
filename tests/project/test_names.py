"""Names and words of the code, as CONTRIBUTING asks for them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

FOLDERS = (ROOT / "kernel" / "bskernel", ROOT / "executors" / "bskernel_executors", ROOT / "protocol")
# Words that are no terms of the field, and phrases that no engineer says aloud.
PRIVATE = re.compile(
    r"\b(anew|bench|benches|carry_out|carried_out|carries_out|carried out|carry out|crew|halt|heed|hired|"
    r"in vain|steward|tells? of|told of|whosever|workshop)\b"
)
SHARED_NAMES = 5  # class names that the kernel and the executors may both use: Step is one of each


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_few_class_names_are_used_twice() -> None:
    found = defaultdict(list)
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: places for name, places in found.items() if len(places) > 1}
    assert len(twice) <= SHARED_NAMES, twice


def test_no_module_is_named_by_a_gerund() -> None:
    assert [str(path) for path, _ in sources() if path.stem.endswith("ing")] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_code_uses_the_words_of_the_field(folder: Path) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in sorted(folder.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := PRIVATE.search(line))
    ]
    assert found == []
