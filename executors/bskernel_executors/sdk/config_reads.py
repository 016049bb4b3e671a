"""Find the fields of a library's configuration that a step function reads, by analysing its source.

These fields enter the step's cache key. When the step runs, `guarded_config` refuses to read any other.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Callable, Iterator
from typing import Any

_Location = tuple[int, str]  # first line (of the first decorator, if any) and name, as in the code object
_FILES: dict[str, dict[_Location, ast.FunctionDef]] = {}


def _source(function: Callable[..., Any]) -> ast.FunctionDef | None:
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return _functions_in(code.co_filename).get((code.co_firstlineno, code.co_name))


def _functions_in(file: str) -> dict[_Location, ast.FunctionDef]:
    """The functions of a file. It is parsed once: hundreds of functions are looked up."""
    if file not in _FILES:
        _FILES[file] = _parse(file)
    return _FILES[file]


def _parse(file: str) -> dict[_Location, ast.FunctionDef]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    return {
        (min((node.lineno, *(decorator.lineno for decorator in node.decorator_list))), node.name): node
        for node in _statements(tree)
        if isinstance(node, ast.FunctionDef)
    }


def files_followed() -> tuple[str, ...]:
    """Return the files whose source was analysed so far in this process."""
    return tuple(sorted(_FILES))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, in any block, without their expressions."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


@functools.cache
def _relevant_nodes(tree: ast.FunctionDef) -> tuple[ast.Attribute | ast.Call | ast.Assign, ...]:
    """The nodes of a function that may read a field, pass the configuration on, or store it."""
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Call | ast.Assign))


def _callee(call: ast.Call, scope: dict[str, Any]) -> Any:
    if isinstance(call.func, ast.Name):
        return scope.get(call.func.id)
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return getattr(scope.get(call.func.value.id), call.func.attr, None)
    return None


def _parameters_bound(call: ast.Call, name: str, callee: Any) -> list[str]:
    """Names of the callee's parameters that the configuration is passed to."""
    try:
        parameters = list(inspect.signature(callee).parameters)
    except (TypeError, ValueError):
        return []
    bound = [parameters[at] for at, value in enumerate(call.args) if _is(value, name) and at < len(parameters)]
    return bound + [keyword.arg for keyword in call.keywords if keyword.arg and _is(keyword.value, name)]


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _attribute(node: ast.AST, holder: ast.expr | str) -> str | None:
    """The attribute of `holder` (a name, or an attribute of self) that `node` reads, with a dot or by getattr."""
    if isinstance(node, ast.Attribute) and _same(node.value, holder):
        return node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        args = node.args
        if len(args) > 1 and _same(args[0], holder) and isinstance(args[1], ast.Constant):
            return str(args[1].value)
    return None


def _same(node: ast.expr, holder: ast.expr | str) -> bool:
    if isinstance(holder, str):
        return _is(node, holder)
    return ast.dump(node) == ast.dump(holder)


def _stored_as(tree: ast.FunctionDef, name: str) -> list[str]:
    """The attributes of self in which a constructor stores the parameter."""
    return [
        target.attr
        for node in _relevant_nodes(tree)
        if isinstance(node, ast.Assign) and _is(node.value, name)
        for target in node.targets
        if isinstance(target, ast.Attribute) and _is(target.value, "self")
    ]


def find_fields_read(function: Callable[..., Any], name: str, config: type, fields: frozenset[str]) -> frozenset[str]:
    """Find those of `fields` that `function` reads from its parameter `name`.

    Follows functions and classes that the parameter is passed to, and methods of `config`.
    """
    found: set[str] = set()
    seen: set[tuple[int, str]] = set()

    def follow(function: Callable[..., Any], name: str) -> None:
        function = inspect.unwrap(function)
        if (id(function), name) in seen:
            return
        seen.add((id(function), name))
        tree = _source(function)
        scope = getattr(function, "__globals__", {})
        for node in _relevant_nodes(tree) if tree else ():
            attribute = _attribute(node, name)
            if attribute is not None:
                note(attribute)
            elif isinstance(node, ast.Call):
                callee = _callee(node, scope)
                for parameter in _parameters_bound(node, name, callee):
                    if inspect.isclass(callee):
                        follow_class(callee, parameter)
                    else:
                        follow(callee, parameter)

    def note(attribute: str) -> None:
        method = inspect.getattr_static(config, attribute, None)
        if attribute in fields:
            found.add(attribute)
        elif inspect.isfunction(method):
            follow(method, "self")

    def follow_class(kind: type, name: str) -> None:
        """Follow its constructor, and its methods' reads of the attributes that store the parameter."""
        constructor = inspect.getattr_static(kind, "__init__", None)
        if not inspect.isfunction(constructor):
            return
        follow(constructor, name)
        tree = _source(constructor)
        stored = [ast.parse(f"self.{item}", mode="eval").body for item in (_stored_as(tree, name) if tree else ())]
        methods = [item for _, item in inspect.getmembers(kind, inspect.isfunction)] if stored else []
        for method in filter(None, map(_source, methods)):
            for node in _relevant_nodes(method):
                for holder in stored:
                    attribute = _attribute(node, holder)
                    if attribute is not None:
                        note(attribute)

    follow(function, name)
    return frozenset(found)
