"""Modules that are imported once something uses a name of theirs."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.sdk.deferred_imports import deferred_imports

SELDOM = """
made = []

class Display:
    def __init__(self, text):
        made.append(text)
        self.text = text

class NoDisplay(Exception):
    pass

def double(number):
    return 2 * number
"""
BY_NAME = """
from shelf.seldom import Display, double

_shown = Display("made while this was imported")

def show(display: Display | None) -> None | Display:
    return display

def text():
    return _shown.text
"""
BY_MODULE = """
import shelf.seldom

def fails() -> shelf.seldom.Display:
    raise shelf.seldom.NoDisplay("none here")
"""
AT_ONCE = """
from shelf.seldom import double
from shelf import seldom

number = double.__name__, seldom.double(4).real
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package whose modules import one that is seldom used."""
    (tmp_path / "shelf").mkdir()
    modules = {"__init__": "", "seldom": SELDOM, "by_name": BY_NAME, "by_module": BY_MODULE, "at_once": AT_ONCE}
    for name, text in modules.items():
        (tmp_path / "shelf" / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        del sys.modules[name]


def import_deferred(name: str) -> Any:
    with deferred_imports(["shelf.seldom", "shelf.nosuch", "nosuch.inner"]):
        return importlib.import_module(name)


@pytest.mark.usefixtures("shelf")
def test_a_name_is_imported_when_it_is_called() -> None:
    module = import_deferred("shelf.by_name")
    assert "shelf.seldom" not in sys.modules
    assert module.double(4) == 8
    assert sys.modules["shelf.seldom"].double is sys.modules["shelf"].seldom.double


@pytest.mark.usefixtures("shelf")
def test_what_was_called_during_the_import_is_called_when_it_is_used_and_once() -> None:
    module = import_deferred("shelf.by_name")
    assert "shelf.seldom" not in sys.modules
    assert module.text() == "made while this was imported"
    assert module.text() == "made while this was imported"
    assert sys.modules["shelf.seldom"].made == ["made while this was imported"]


@pytest.mark.usefixtures("shelf")
def test_a_module_is_the_real_one_for_what_uses_it_later() -> None:
    module = import_deferred("shelf.by_module")
    assert "shelf.seldom" not in sys.modules
    with pytest.raises(Exception, match="none here") as caught:
        module.fails()
    assert type(caught.value) is importlib.import_module("shelf.seldom").NoDisplay


@pytest.mark.usefixtures("shelf")
def test_a_module_that_is_used_while_the_others_are_imported_is_imported_then() -> None:
    assert import_deferred("shelf.at_once").number == ("double", 8)
    assert isinstance(sys.modules["shelf.seldom"].Display("x"), sys.modules["shelf"].seldom.Display)


@pytest.mark.usefixtures("shelf")
def test_a_module_that_is_imported_already_stays() -> None:
    seldom = importlib.import_module("shelf.seldom")
    assert import_deferred("shelf.by_name").Display is seldom.Display


@pytest.mark.usefixtures("shelf")
def test_a_module_is_imported_in_the_context_that_was_asked_for() -> None:
    entered = []

    @contextlib.contextmanager
    def importing() -> Iterator[None]:
        entered.append("shelf.seldom" in sys.modules)
        yield

    with deferred_imports(["shelf.seldom"], importing):
        module = importlib.import_module("shelf.by_name")
    assert module.double(1) == 2
    assert entered == [False]
