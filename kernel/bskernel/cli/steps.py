"""`bskernel steps`: what executors can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from bskernel.cli.candidates import complete_executor
from bskernel.cli.options import JSON
from bskernel.cli.output import print_result

if TYPE_CHECKING:
    from bskernel_protocol import Catalogue, InputDescription

    from bskernel.core.catalogue import Executors


@click.command()
@click.argument("executor", required=False, shell_complete=complete_executor)
@JSON
def steps(executor: str | None, as_json: bool) -> None:
    """List executors, or the entries of one with their parameters.

    Also lists the inputs of each entry, and the boards that the executor knows. EXECUTOR is NAME or NAME@VERSION;
    NAME alone means its default version.
    """
    from bskernel.workspace.workspace import Workspace

    executors = Workspace.here().executors
    if executor is None:
        print_result(_list_executors(executors), _describe_executors, as_json=as_json)
    else:
        print_result(executors.resolve(executor, {}, "steps").catalogue, _describe_entries, as_json=as_json)


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An executor: its entries, or how its catalogue is made."""

    name: str
    version: str
    default: bool = False
    summary: str = ""
    entries: tuple[str, ...] = ()
    describe: str | None = None  # the command that makes its catalogue; None where there is one


def _list_executors(executors: Executors) -> list[_Listed]:
    from bskernel.core.catalogue import how_to_describe

    known = [
        _Listed(
            name=info.name,
            version=info.version,
            default=info.default,
            summary=info.catalogue.summary,
            entries=tuple(entry.name for entry in info.catalogue.entries),
        )
        for info in executors.known
    ]
    return known + [
        _Listed(name=ref.name, version=ref.version, describe=f"bskernel {how_to_describe(ref)}")
        for ref in executors.undescribed
    ]


def _describe_executors(listed: Sequence[_Listed]) -> str:
    return "\n".join(
        f"{item.name}@{item.version}: not described yet: run {item.describe}"
        if item.describe is not None
        else f"{item.name}@{item.version}{'  (default)' if item.default else ''}: {len(item.entries)} entries: "
        f"{item.summary}"
        for item in listed
    )


def _describe_entries(catalogue: Catalogue) -> str:
    lines = []
    for entry in catalogue.entries:
        stages = f"{'|'.join(entry.stage_in) or 'any'} -> {entry.stage_out or 'same'}"
        checks = f"  checks {', '.join(entry.checks_stages)}" if entry.checks_stages else ""
        needs = f"  needs {', '.join(entry.needs)}" if entry.needs else ""
        lines += [f"{entry.name}  [{stages}]{checks}{needs}", f"    {entry.summary}"]
        for parameter in entry.parameters:
            unit = f" {parameter.unit}" if parameter.unit else ""
            source = f", from {parameter.default_from}" if parameter.default_from else ""
            value = "required" if parameter.required else f"default {parameter.default!r}{unit}"
            lines.append(f"      {parameter.name} ({value}{source}): {parameter.help}")
        made = [item for item in entry.inputs if item.source == "flow" and item.default_from is None]
        lines += [f"      {_describe_file(item)}" for item in entry.inputs if item not in made]
        if made:
            names = (f"{item.name} ({_form(item)}{'' if item.required else ', optional'})" for item in made)
            lines.append(f"      from earlier steps, or inputs.NAME: {', '.join(names)}")
    if catalogue.boards:
        lines += ["boards (target.board):", *(f"    {board}  {part}" for board, part in catalogue.boards.items())]
    return "\n".join(lines)


_FORMS = {"application/x-onnx": "an ONNX file", "application/json": "a JSON file"}
_KINDS = {"file": "a file", "tree": "a folder", "any": "a file or folder"}


def _describe_file(item: InputDescription) -> str:
    """An input that the build gives, and the key that gives it."""
    needed = "required" if item.required else "optional"
    source = f", from {item.default_from}" if item.default_from else ""
    return f"inputs.{item.name} ({_form(item)}, {needed}{source})" + (f": {item.help}" if item.help else "")


def _form(item: InputDescription) -> str:
    return _FORMS.get(item.media_type, _KINDS[item.kind])
