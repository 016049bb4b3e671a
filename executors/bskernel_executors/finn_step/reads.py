"""Which fields of FINN's build configuration a step function reads, found in its source.

The answer decides what enters a step's cache key, so reading anything else is refused when the step runs.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def _source(function: Callable[..., Any]) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    node = tree.body[0]
    return node if isinstance(node, ast.FunctionDef) else None


def _callee(call: ast.Call, scope: dict[str, Any]) -> Any:
    if isinstance(call.func, ast.Name):
        return scope.get(call.func.id)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return getattr(scope.get(call.func.value.id), call.func.attr, None)
    return None


def _names_given(call: ast.Call, name: str, callee: Any) -> list[str]:
    """Names of the callee's parameters that get the configuration."""
    try:
        parameters = list(inspect.signature(callee).parameters)
    except (TypeError, ValueError):
        return []
    given = [parameters[at] for at, value in enumerate(call.args) if _is(value, name) and at < len(parameters)]
    return given + [keyword.arg for keyword in call.keywords if keyword.arg and _is(keyword.value, name)]


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def fields_read(function: Callable[..., Any], name: str, config: type, fields: frozenset[str]) -> frozenset[str]:
    """Those of `fields` that `function` reads of its parameter `name`, also through functions that it hands it to."""
    found: set[str] = set()
    seen: set[tuple[int, str]] = set()

    def follow(function: Callable[..., Any], name: str) -> None:
        function = inspect.unwrap(function)
        if (id(function), name) in seen:
            return
        seen.add((id(function), name))
        tree = _source(function)
        scope = dict(getattr(function, "__globals__", {}))
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Attribute) and _is(node.value, name):
                method = inspect.getattr_static(config, node.attr, None)
                if node.attr in fields:
                    found.add(node.attr)
                elif inspect.isfunction(method):
                    follow(method, "self")
            elif isinstance(node, ast.Call):
                callee = _callee(node, scope)
                for given in _names_given(node, name, callee):
                    follow(callee.__init__ if inspect.isclass(callee) else callee, given)

    follow(function, name)
    return frozenset(found)
