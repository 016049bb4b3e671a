"""The reference, generated from the code: keys of build.toml, commands, the Python API, entries of executors."""

from __future__ import annotations

import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
from bskernel.cli.group import COMMANDS
from bskernel.config import Config

_PYTHON = """# Python API

```{eval-rst}
.. automodule:: bskernel
   :members:
   :imported-members:
   :member-order: bysource
```
"""


def pages(root: Path) -> dict[str, str]:
    """File name -> Markdown."""
    catalogues = [json.loads(path.read_text()) for path in sorted((root / "images").glob("*/*/catalogue.json"))]
    own = {_file(catalogue): _catalogue(catalogue) for catalogue in catalogues}
    return {
        "config.md": _config(),
        "cli.md": _cli(),
        "python.md": _PYTHON,
        "executors.md": _executors(catalogues),
        **own,
    }


# Commands


def _cli() -> str:
    lines = [
        "# All commands and options",
        "",
        "What `--help` prints. [Commands](../commands.md) shows what you need most, exit codes and variables.",
        "",
    ]
    for name in COMMANDS:
        module = name.replace("-", "_")
        lines += ["```{eval-rst}", f".. click:: bskernel.cli.{module}:{module}", f"   :prog: bskernel {name}"]
        lines += ["   :nested: full", "```", ""]
    return "\n".join(lines)


# build.toml


def _config() -> str:
    lines = [
        "# All keys of build.toml",
        "",
        "Every key of a build file. [build.toml and the results](../build-file.md) shows how they are used, and",
        "`bskernel schema config` prints the same as a JSON Schema.",
    ]
    for name, struct in _sections(Config, ""):
        lines += ["", f"## {name or 'Sections'}", "", _cell(inspect.getdoc(struct) or ""), ""]
        lines += _table(["key", "type", "default", "meaning"], _keys(struct))
    return "\n".join(lines) + "\n"


def _sections(struct: type[msgspec.Struct], name: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The tables of a build file with their types, each before those in it."""
    yield f"[{name}]" if name else "", struct
    for field in msgspec.structs.fields(struct):
        for inner, form in _structs(field.type):
            key = f"{name}.{field.encode_name}" if name else field.encode_name
            yield from _sections(inner, key + {"table": "", "tables": ".NAME", "list": ""}[form])


def _structs(type_: Any, form: str = "table") -> Iterator[tuple[type[msgspec.Struct], str]]:
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        yield type_, form
    origin = getattr(type_, "__origin__", None)
    form = {dict: "tables", tuple: "list"}.get(origin, form) if origin else form
    for argument in get_args(type_):
        yield from _structs(argument, form)


def _keys(struct: type[msgspec.Struct]) -> Iterator[list[str]]:
    remarks = _remarks(struct)
    for field in msgspec.structs.fields(struct):
        if field.default is not msgspec.NODEFAULT:
            default = _code(_toml(field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            default = _code(_toml(field.default_factory()))
        else:
            default = "required"
        inner = [inspect.getdoc(one) or "" for one, _ in _structs(field.type)]
        meaning = remarks.get(field.name) or (inner[0].splitlines()[0] if inner else "")
        yield [_code(field.encode_name), _type(field.type), default, _cell(meaning)]


def _remarks(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Field -> the comment behind it, or on the line before."""
    found: dict[str, str] = {}
    above = field = ""
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(struct)).readline):
        if token.type == tokenize.NAME and token.start[1] == 4 and token.line[token.end[1] :].startswith(":"):
            field = token.string
            found[field], above = above, ""
        elif token.type == tokenize.COMMENT:
            text = token.string.lstrip("# ")
            if token.line.strip().startswith("#"):
                above = f"{above} {text}".strip()
            elif field:
                found[field] = f"{found[field]} {text}".strip()
        elif token.type == tokenize.NAME and token.string == "def":
            break
    return {name: text for name, text in found.items() if text}


def _type(type_: Any) -> str:
    if type_ is type(None):
        return ""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return "table"
    name, arguments = str(getattr(type_, "__origin__", type_)), get_args(type_)
    if "Literal" in name:
        return ", ".join(json.dumps(argument) for argument in arguments)
    if name == "<class 'dict'>":
        return f"table of {_type(arguments[1])}" if _type(arguments[1]) != "table" else "tables"
    if name == "<class 'tuple'>":
        return f"list of {_type(arguments[0])}"
    if arguments:
        return " or ".join(dict.fromkeys(text for argument in arguments if (text := _type(argument))))
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any value"}
    return plain.get(type_, getattr(type_, "__name__", str(type_)))


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, msgspec.Struct) or value == {}:
        return ""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


# Executors


def _file(catalogue: Mapping[str, Any]) -> str:
    return f"{catalogue['executor']}-{catalogue['version']}.md"


def _executors(catalogues: list[dict[str, Any]]) -> str:
    lines = [
        "# Executors",
        "",
        "What each one offers, as it says itself: `bskernel steps EXECUTOR` prints the same.",
        "",
    ]
    rows = (
        [f"[{one['executor']}@{one['version']}]({_file(one)})", _cell(one["summary"]), str(len(one["entries"]))]
        for one in catalogues
    )
    lines += [*_table(["executor", "what it does", "entries"], rows), "", "```{toctree}", ":hidden:", ""]
    lines += [_file(one).removesuffix(".md") for one in catalogues]
    return "\n".join([*lines, "```"]) + "\n"


def _catalogue(catalogue: Mapping[str, Any]) -> str:
    lines = [f"# {catalogue['executor']}@{catalogue['version']}", "", _cell(catalogue["summary"])]
    if boards := catalogue.get("boards"):
        lines += ["", "## Boards", "", *_table(["board", "part"], ([_code(b), _code(p)] for b, p in boards.items()))]
    for entry in catalogue["entries"]:
        lines += ["", f"## {entry['name']}", "", _cell(entry["summary"]), ""]
        takes = f"stage {' or '.join(entry['stage_in'])}" if entry["stage_in"] else "any stage"
        leaves = f"leaves it at stage {entry['stage_out']}" if entry.get("stage_out") else "does not change the stage"
        lines += [f"Takes a model at {takes}, and {leaves}."]
        if entry["needs"]:
            lines += [f"Needs {', '.join(entry['needs'])}."]
        if entry["inputs"]:
            rows = ([_code(item["name"]), item["kind"], _need(item), _cell(item["help"])] for item in entry["inputs"])
            lines += ["", *_table(["input", "kind", "", "meaning"], rows)]
        if entry["outputs"]:
            rows = ([_code(item["name"]), item["kind"], _cell(item["help"])] for item in entry["outputs"])
            lines += ["", *_table(["output", "kind", "meaning"], rows)]
        if entry["parameters"]:
            lines += ["", *_table(["parameter", "default", "unit", "meaning"], map(_parameter, entry["parameters"]))]
    return "\n".join(lines) + "\n"


def _need(item: Mapping[str, Any]) -> str:
    return "" if item["required"] else "optional"


def _parameter(item: Mapping[str, Any]) -> list[str]:
    if item["default_from"]:
        default = f"the build's {_code(item['default_from'])}"
    elif item["required"]:
        default = "required"
    else:
        default = _code(json.dumps(item["default"])) if item["default"] is not None else "none"
    return [_code(item["name"]), default, item["unit"] or "", _cell(item["help"])]


# Markdown


def _cell(text: str) -> str:
    return re.sub(r"([|*_<>\[\]{}$])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def _table(head: list[str], rows: Any) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
