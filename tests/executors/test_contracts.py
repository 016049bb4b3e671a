"""The import contracts of pyproject.toml cover every executor and everything that executors share."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "executors" / "bskernel_executors"
FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
EXECUTORS = {path.parent.name for path in PACKAGE.glob("*/entries.py")}


def contract(name: str) -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (found,) = (row for row in settings["tool"]["importlinter"]["contracts"] if row["name"] == name)
    return dict(found)


def test_every_executor_is_a_stranger_to_the_others() -> None:
    modules = contract("executors are strangers to one another")["modules"]
    assert sorted(modules) == sorted(f"bskernel_executors.{name}" for name in EXECUTORS)
    assert len(EXECUTORS) >= 7


def test_every_folder_is_in_a_layer_and_the_executors_are_the_topmost_one() -> None:
    layers = [layer.split(" | ") for layer in contract("what executors share knows none of them")["layers"]]
    assert sorted(name for layer in layers for name in layer) == sorted(FOLDERS)
    assert set(layers[0]) == EXECUTORS


def test_every_executor_that_has_a_recipe_lists_what_it_imports_in_its_sources() -> None:
    for path in sorted((ROOT / "images").glob("*/*/image.toml")):
        recipe = tomllib.loads(path.read_text())
        sources = {Path(source).name for source in recipe["sources"]}
        reached, waiting = set(), [recipe["module"].split(".")[1]]
        while waiting:
            folder = waiting.pop()
            if folder in reached:
                continue
            reached.add(folder)
            texts = [source.read_text() for source in (PACKAGE / folder).rglob("*.py")]
            waiting += [name for name in FOLDERS if any(f"bskernel_executors.{name}" in text for text in texts)]
        assert sources == reached | {"bskernel_protocol", "__init__.py"}, path
