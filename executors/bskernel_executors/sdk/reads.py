"""Which fields of a library's configuration a step function reads, found in its source.

The answer decides what enters a step's cache key, so reading anything else is refused when the step runs.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable, Iterator
from typing import Any

_Place = tuple[int, str]  # the first line, a decorator's too, and the name, as the compiled code says them


def _source(function: Callable[..., Any]) -> ast.FunctionDef | None:
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return _functions_in(code.co_filename).get((code.co_firstlineno, code.co_name))


@functools.cache
def _functions_in(file: str) -> dict[_Place, ast.FunctionDef]:
    """The functions of a file, which is parsed once: an executor asks for hundreds while it starts."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    return {
        (min((node.lineno, *(decorator.lineno for decorator in node.decorator_list))), node.name): node
        for node in _statements(tree)
        if isinstance(node, ast.FunctionDef)
    }


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, in whatever block; not what they compute."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


@functools.cache
def _telling(tree: ast.FunctionDef) -> tuple[ast.Attribute | ast.Call | ast.Assign, ...]:
    """What may read a field, hand the configuration on or keep it, anywhere in a function."""
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Call | ast.Assign))


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


def _attribute(node: ast.AST, holder: ast.expr | str) -> str | None:
    """The attribute that `node` reads of a name, or of an attribute of self: as a dot or by getattr."""
    if isinstance(node, ast.Attribute) and _same(node.value, holder):
        return node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        given = node.args
        if len(given) > 1 and _same(given[0], holder) and isinstance(given[1], ast.Constant):
            return str(given[1].value)
    return None


def _same(node: ast.expr, holder: ast.expr | str) -> bool:
    if isinstance(holder, str):
        return _is(node, holder)
    return ast.dump(node) == ast.dump(holder)


def _kept_as(tree: ast.FunctionDef, name: str) -> list[str]:
    """Attributes of self that a constructor keeps the parameter in."""
    return [
        target.attr
        for node in _telling(tree)
        if isinstance(node, ast.Assign) and _is(node.value, name)
        for target in node.targets
        if isinstance(target, ast.Attribute) and _is(target.value, "self")
    ]


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
        scope = getattr(function, "__globals__", {})
        for node in _telling(tree) if tree else ():
            attribute = _attribute(node, name)
            if attribute is not None:
                note(attribute)
            elif isinstance(node, ast.Call):
                callee = _callee(node, scope)
                for given in _names_given(node, name, callee):
                    if inspect.isclass(callee):
                        follow_class(callee, given)
                    else:
                        follow(callee, given)

    def note(attribute: str) -> None:
        method = inspect.getattr_static(config, attribute, None)
        if attribute in fields:
            found.add(attribute)
        elif inspect.isfunction(method):
            follow(method, "self")

    def follow_class(kind: type, name: str) -> None:
        """Its constructor, and what its methods read of the attributes that keep the parameter."""
        constructor = inspect.getattr_static(kind, "__init__", None)
        if not inspect.isfunction(constructor):
            return
        follow(constructor, name)
        tree = _source(constructor)
        kept = [ast.parse(f"self.{item}", mode="eval").body for item in (_kept_as(tree, name) if tree else ())]
        methods = [item for _, item in inspect.getmembers(kind, inspect.isfunction)] if kept else []
        for method in filter(None, map(_source, methods)):
            for node in _telling(method):
                for holder in kept:
                    attribute = _attribute(node, holder)
                    if attribute is not None:
                        note(attribute)

    follow(function, name)
    return frozenset(found)
