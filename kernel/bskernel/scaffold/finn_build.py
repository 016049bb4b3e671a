"""The build.toml of an imported build configuration of FINN. Pure."""

from __future__ import annotations

from bskernel.scaffold.build_file import BuildFile, TomlLine, TomlTable, active_lines, step_header
from bskernel.scaffold.finn_importer import FinnImport
from bskernel.scaffold.finn_steps import ListedStep
from bskernel.scaffold.network import DescribedNetwork
from bskernel.scaffold.new_build import begin_later, describe_network, remedy_tables


def make_finn_build(imported: FinnImport, network: DescribedNetwork, *, model: str, source: str) -> BuildFile:
    """The build of a model at a path relative to the file, from the configuration `source`."""
    steps = imported.steps
    lost = [str(note) for note in imported.notes if note.kind == "lost"]
    head = (
        f"Imported from {source} by bskernel init. Run it: bskernel run",
        "",
        *describe_network(network, model),
        *(
            ("", "What this file cannot say of it:", *(f"- {text.removeprefix('lost: ')}" for text in lost))
            if lost
            else ()
        ),
    )
    build = {"model": model} | ({"flow": steps.flow} if not steps.listed else {})
    tables = [TomlTable(header="[build]", lines=active_lines(build))]
    if not steps.listed:
        tables += begin_later(network.stages)
        if steps.last is not None:
            tables.append(TomlTable(header="[flow]", lines=active_lines({"to": steps.last})))
        if steps.remove:
            tables.append(TomlTable(header="[flow.edit]", lines=active_lines({"remove": list(steps.remove)})))
    tables.append(TomlTable(header="[target]", lines=active_lines(imported.target)))
    if imported.quality:
        tables.append(TomlTable(header="[quality]", lines=active_lines(dict(imported.quality))))
    if imported.parameters:
        tables.append(TomlTable(header=f"[parameters.{imported.executor}]", lines=active_lines(imported.parameters)))
    if steps.listed:
        tables += [_listed_table(step, imported) for step in steps.listed]
    else:
        for step, files in imported.inputs.items():
            tables.append(TomlTable(header=step_header(step), lines=active_lines({"inputs": files})))
        for step, values in imported.step_parameters.items():
            tables.append(TomlTable(header=step_header(step, "parameters"), lines=active_lines(values)))
        tables += remedy_tables(network.problems)
    return BuildFile(head=head, tables=tuple(tables))


def _listed_table(step: ListedStep, imported: FinnImport) -> TomlTable:
    """A step of a list; one that is the user's own function is a comment to complete."""
    if step.unknown:
        module, _, function = step.name.rpartition(".")
        values = {
            "name": function,
            "entry": step.entry,
            "parameters": {"function": f"{module or 'MODULE'}:{function}"},
            "inputs": {"source": "FOLDER"},
        }
        lines = tuple(TomlLine(key=key, value=value, active=False) for key, value in values.items())
        return TomlTable(header="[[step]]", lines=(TomlLine(comment=f"{step.name}: a step of your own?"), *lines))
    files = imported.inputs.get(step.name)
    return TomlTable(
        header="[[step]]", lines=active_lines({"entry": step.entry} | ({"inputs": files} if files else {}))
    )
