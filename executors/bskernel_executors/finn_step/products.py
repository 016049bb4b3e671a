"""What a step is run for, as an output of its own beside FINN's grown folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.stages import KEPT
from bskernel_executors.sdk import Output, Step

_PROJECT = "vivado_stitch_proj"  # FINN's metadata property
_OF_THE_RUN = ("ooc_*.rpt", "ooc_metadata.txt", "*_routed.dcp")


def outputs_of(name: str) -> tuple[Output, ...]:
    """The outputs that a step has for what it is run for."""
    if name not in KEPT:
        return ()
    output, _, what = KEPT[name]
    return (Output(output, kind="tree", required=False, help=what),)


def _of_the_run(model: Any, state: Path) -> Iterator[Path]:
    project = model.get_metadata_prop(_PROJECT)
    if project is not None:
        for pattern in _OF_THE_RUN:
            yield from sorted((state / Path(project).name).glob(pattern))


def keep_product(step: Step[Any], name: str, model: Any) -> None:
    """Copy it out of the outputs `output` and `state`, which are there already, without paths of this machine."""
    if name not in KEPT:
        return
    output, place, _ = KEPT[name]
    target = step.output(output)
    if place:
        source = step.output("output") / place
        if source.is_dir():
            shutil.copytree(source, target)
        return
    files = list(_of_the_run(model, step.output("state")))
    if files:
        target.mkdir()
    for path in files:
        shutil.copyfile(path, target / path.name)
