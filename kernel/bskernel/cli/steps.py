"""`bskernel steps`: what executors can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bskernel.cli.options import JSON
from bskernel.cli.output import echo, print_result

if TYPE_CHECKING:
    from bskernel_protocol import Catalogue, InputDescription

    from bskernel.core.catalogue import Executors


@click.command()
@click.argument("executor", required=False)
@JSON
def steps(executor: str | None, as_json: bool) -> None:
    """List executors, or the entries of one with their parameters.

    Also lists the inputs of each entry, and the boards that the executor knows. EXECUTOR is NAME or NAME@VERSION;
    NAME alone means its default version.
    """
    from bskernel.workspace.workspace import Workspace

    executors = Workspace.here().executors
    if executor is None:
        echo(_describe_executors(executors))
    else:
        print_result(executors.resolve(executor, {}, "steps").catalogue, _describe_entries, as_json=as_json)


def _describe_executors(executors: Executors) -> str:
    from bskernel.core.catalogue import how_to_describe

    lines = [
        f"{info.ref}{'  (default)' if info.default else ''}: {len(info.catalogue.entries)} entries: "
        f"{info.catalogue.summary}"
        for info in executors.known
    ]
    lines += [f"{ref}: not described yet: run bskernel {how_to_describe(ref)}" for ref in executors.undescribed]
    return "\n".join(lines)


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
            names = (item.name if item.required else f"{item.name} (optional)" for item in made)
            lines.append(f"      from earlier steps, or inputs.NAME: {', '.join(names)}")
    if catalogue.boards:
        lines += ["boards (target.board):", *(f"    {board}  {part}" for board, part in catalogue.boards.items())]
    return "\n".join(lines)


_FORMS = {"application/x-onnx": "an ONNX file", "application/json": "a JSON file"}
_KINDS = {"file": "a file", "tree": "a folder", "any": "a file or folder"}


def _describe_file(item: InputDescription) -> str:
    """An input that the build gives, and the key that gives it."""
    form = _FORMS.get(item.media_type, _KINDS[item.kind])
    needed = "required" if item.required else "optional"
    source = f", from {item.default_from}" if item.default_from else ""
    return f"inputs.{item.name} ({form}, {needed}{source})" + (f": {item.help}" if item.help else "")
