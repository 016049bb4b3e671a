"""Which fields of its configuration does a step read? Asked of its source, through every helper that gets the configuration."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

_COPIES = frozenset({"copy", "deepcopy"})


class ConfigurationEscapesError(Exception):
    """The configuration goes where its reads cannot be followed."""


@functools.cache
def _definition(thing: Any) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except (OSError, TypeError, SyntaxError) as error:
        raise ConfigurationEscapesError(f"no source of {thing!r}") from error


def _parameter(arguments: ast.arguments, position: int | str) -> str:
    """The name under which an argument (by position or keyword) arrives."""
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if isinstance(position, int):
        if position < len(names):
            return names[position]
    elif position in names or position in [argument.arg for argument in arguments.kwonlyargs]:
        return position
    raise ConfigurationEscapesError(f"no parameter {position!r}")


class _Reads:
    """The fields read so far, and the functions already followed."""

    def __init__(self, config: type, fields: frozenset[str]) -> None:
        self.config = config
        self.fields = fields
        self.found: set[str] = set()
        self.seen: set[tuple[Any, int | str]] = set()

    def follow(self, thing: Any, position: int | str) -> None:
        """Read on in a function or class that gets the configuration as that argument."""
        if isinstance(thing, functools.partial):
            raise ConfigurationEscapesError(f"a partial call of {thing.func!r}")
        target = inspect.unwrap(thing) if callable(thing) else thing
        if (target, position) in self.seen:
            return
        self.seen.add((target, position))
        node = _definition(target)
        if isinstance(node, ast.ClassDef):
            self._follow_class(target, node, position)
        elif isinstance(node, ast.FunctionDef):
            _Visitor(self, target.__globals__, {_parameter(node.args, position)}).read(node)
        else:
            raise ConfigurationEscapesError(f"{thing!r} is no function")

    def _follow_class(self, target: type, node: ast.ClassDef, position: int | str) -> None:
        """A class that keeps the configuration reads it in any of its methods."""
        made = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if made is None:
            raise ConfigurationEscapesError(f"{target!r} has no __init__ of its own")
        name = _parameter(made.args, position + 1 if isinstance(position, int) else position)
        namespace = vars(importlib.import_module(target.__module__))
        kept = {
            target_node.attr
            for n in ast.walk(made)
            if isinstance(n, ast.Assign) and isinstance(n.value, ast.Name) and n.value.id == name
            for target_node in n.targets
            if isinstance(target_node, ast.Attribute)
        }
        for method in node.body:
            if isinstance(method, ast.FunctionDef):
                _Visitor(self, namespace, {name} if method is made else set(), kept).read(method)

    def attribute(self, name: str) -> None:
        """The configuration's attribute of that name is read: a field, or a method that reads fields."""
        if name in self.fields:
            self.found.add(name)
            return
        member = inspect.getattr_static(self.config, name, None)
        if isinstance(member, property):
            member = member.fget
        if isinstance(member, (staticmethod, classmethod)):
            return
        if member is None:
            return
        if inspect.isfunction(member):
            self.follow(member, 0)


class _Visitor(ast.NodeVisitor):
    """Finds reads of the names (and of self's attributes) that hold the configuration."""

    def __init__(
        self, reads: _Reads, namespace: dict[str, Any], names: set[str], kept: set[str] | None = None
    ) -> None:
        self.reads = reads
        self.namespace = namespace
        self.local: dict[str, Any] = {}
        self.names = names
        self.kept = kept or set()

    def read(self, node: ast.FunctionDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def _holds(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.names
        return (
            isinstance(node, ast.Attribute)
            and node.attr in self.kept
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )

    def _resolve(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name):
            for namespace in (self.local, self.namespace, vars(builtins)):
                if node.id in namespace:
                    return namespace[node.id]
        if isinstance(node, ast.Attribute):
            return getattr(self._resolve(node.value), node.attr)
        raise ConfigurationEscapesError(f"cannot tell what {ast.unparse(node)} is")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = importlib.import_module(node.module or "")
        for alias in node.names:
            self.local[alias.asname or alias.name] = getattr(module, alias.name)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = node.value
        copied = isinstance(value, ast.Call) and getattr(value.func, "id", None) in _COPIES and value.args
        source = value.args[0] if copied and isinstance(value, ast.Call) else value
        if self._holds(source):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.names.add(target.id)
                elif not self._holds(target):
                    raise ConfigurationEscapesError(f"{ast.unparse(node)}")
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._holds(node.value):
            self.reads.attribute(node.attr)
        elif not self._holds(node):
            self.generic_visit(node)
        else:
            raise ConfigurationEscapesError(ast.unparse(node))

    def visit_Call(self, node: ast.Call) -> None:
        given: list[tuple[int | str, ast.expr]] = [*enumerate(node.args)]
        given += [(keyword.arg or "**", keyword.value) for keyword in node.keywords]
        called = getattr(node.func, "id", None)
        self.visit(node.func) if not self._holds(node.func) else None
        for position, value in given:
            if not self._holds(value):
                self.visit(value)
            elif called in ("getattr", "hasattr") and isinstance(node.args[1], ast.Constant):
                self.reads.attribute(str(node.args[1].value))
            else:
                self.reads.follow(self._resolve(node.func), position)

    def visit_Name(self, node: ast.Name) -> None:
        if self._holds(node) and isinstance(node.ctx, ast.Load):
            raise ConfigurationEscapesError(f"{node.id} is used whole")


def fields_read(
    function: Callable[..., Any], config: type, fields: frozenset[str], position: int = 1
) -> frozenset[str]:
    """The configuration's fields that `function` can read, directly or through what it hands the configuration to.

    All fields when the configuration goes where it cannot be followed: a key with too much in it is merely
    slow, one with too little is wrong.
    """
    reads = _Reads(config, fields)
    try:
        reads.follow(function, position)
    except (ConfigurationEscapesError, ImportError, AttributeError):
        return fields
    return frozenset(reads.found)
