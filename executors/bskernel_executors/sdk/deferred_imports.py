"""Modules that other libraries import and seldom use, imported once something uses them."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

Importing: TypeAlias = Callable[[], AbstractContextManager[None]]


@contextlib.contextmanager
def deferred_imports(names: Collection[str], importing: Importing = contextlib.nullcontext) -> Iterator[None]:
    """Leave these modules out of what is imported in the context, until something uses a name of theirs.

    A name may be called, entered, read, or part of an annotation; no class can have it as a base. What is called in
    the context is called at the first use of its result, too. `importing` makes the context of each import.
    """
    state = _Deferral(importing)
    modules = {name: _DeferredModule(name, state) for name in names if name not in sys.modules and _exists(name)}
    for name, module in modules.items():
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:  # `find_spec` has imported it
            setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        state.is_active = False
        for module in modules.values():
            module.leave()


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


class _Deferral:
    """What the names of a context share: whether they are still deferred, and how each is imported."""

    def __init__(self, importing: Importing) -> None:
        self.importing = importing
        self.is_active = True


class _DeferredName:
    """Stands for a name of a module, or for what a call makes, until it is used."""

    def __init__(self, name: str, find: Callable[[], Any], state: _Deferral) -> None:
        self.__name__ = name
        self._find = functools.cache(find)
        self._state = state

    def __call__(self, *values: Any, **named: Any) -> Any:
        def make() -> Any:
            return self._find()(*values, **named)

        return _DeferredName(self.__name__, make, self._state) if self._state.is_active else make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def __enter__(self) -> Any:
        return self._find().__enter__()

    def __exit__(self, *raised: Any) -> Any:
        return self._find().__exit__(*raised)

    def __or__(self, other: Any) -> Any:
        return self  # in an annotation, which nobody evaluates

    __ror__ = __or__


class _DeferredModule(types.ModuleType):
    """A module of which other modules import names, while it is not imported itself."""

    def __init__(self, name: str, state: _Deferral) -> None:
        super().__init__(name)
        self._state = state

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def find() -> Any:
            self.leave()
            with self._state.importing():
                return getattr(importlib.import_module(self.__name__), name)

        return _DeferredName(name, find, self._state) if self._state.is_active else find()

    def leave(self) -> None:
        """Make way for the module, unless it is imported already."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
