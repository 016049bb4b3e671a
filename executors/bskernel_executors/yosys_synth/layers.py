"""What the entries of each family of devices share: to run Yosys, and what they read and write of layers."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.artifact_file import read_artifact
from bskernel_executors.exchange.design import Design
from bskernel_executors.exchange.synthesis import CellSynthesis
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.tools import module_command, run_tool
from bskernel_executors.yosys_synth.netlist import drop_head
from bskernel_executors.yosys_synth.partition import SOURCES

_SOURCES = msgspec.json.Decoder(tuple[str, ...])
_COUNTS = msgspec.json.Decoder(dict[str, int])

Counts = dict[str, int]  # cell -> count


def run_yosys(work: Path, module: str, *scripts: str, failed: str) -> None:
    """Run scripts in the folder `work` by a module that runs Yosys. Raises StepFailure with the message `failed`."""
    run_tool([*module_command(module), *scripts], cwd=work, env=os.environ, failed=failed)


def read_sources(layer: Path) -> tuple[str, ...]:
    """Return the sources in the folder of a layer. Raises StepFailure."""
    return read_artifact(layer / SOURCES, _SOURCES, SOURCES, writer="yosys-synth:partition")


def write_layer(step: Step[Any], statistics: Path, netlist: Path) -> None:
    """Write the outputs `cells` and `layer_netlist` from Yosys' statistics and the netlist that it wrote."""
    found = json.loads(statistics.read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    # $scopeinfo is not hardware: it marks where a flattened module was.
    cells = {kind: count for kind, count in found.items() if kind != "$scopeinfo"}
    step.output("cells").write_text(pretty_json(cells), encoding="utf-8")
    step.output("layer_netlist").write_text(drop_head(netlist.read_text(encoding="utf-8")), encoding="utf-8")


def read_cells(folder: Path, design: Design, writer: str) -> dict[str, Counts]:
    """Return each layer's cells, which the entry `writer` wrote. Raises StepFailure for a layer without them."""
    missing = [name for name in design.layers if not (folder / name / "cells").is_file()]
    if missing:
        raise StepFailure(
            category="config",
            message=f"the layers do not belong to this design: there is no {', '.join(missing)}",
            hint=f"take the cells of {writer} for the layers that partition made of the same design",
        )
    return {
        name: read_artifact(folder / name / "cells", _COUNTS, f"cells of {name}", writer=f"yosys-synth:{writer}")
        for name in design.layers
    }


def add_cells(cells: Mapping[str, Counts]) -> Counts:
    """Return the cells of all layers together."""
    total: Counter[str] = Counter()
    for found in cells.values():
        total.update(found)
    return total


def read_netlists(folder: Path, design: Design) -> dict[str, str]:
    """Return each layer's netlist."""
    return {name: (folder / name / "layer_netlist").read_text(encoding="utf-8") for name in design.layers}


def write_synthesis(
    step: Step[Any],
    family: str,
    cells: Mapping[str, Counts],
    count: Callable[[Counts], dict[str, int]],
    differences: tuple[str, ...],
) -> None:
    """Write the output `synthesis`: the resources that `count` finds in cells; show the differences to a vendor's."""
    result = CellSynthesis(
        tool="Yosys 0.70",
        family=family,
        design=count(add_cells(cells)),
        layers={name: count(found) for name, found in cells.items()},
        differences=differences,
    )
    step.output("synthesis").write_text(pretty_json(result), encoding="utf-8")
    step.record({"summary": [{"label": "synthesis", "value": text, "note": result.tool} for text in differences]})
