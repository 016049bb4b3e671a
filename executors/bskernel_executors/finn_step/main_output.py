"""A step's main result, e.g. the bitstream, as an output beside FINN's growing folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.known_steps import MAIN_OUTPUTS
from bskernel_executors.sdk import Output, Step

_PROJECT = "vivado_stitch_proj"  # FINN's metadata property
_RUN_FILES = ("ooc_*.rpt", "ooc_metadata.txt", "*_routed.dcp")


def declare_main_output(name: str) -> tuple[Output, ...]:
    """Return the output for a step's main result, if it has one."""
    if name not in MAIN_OUTPUTS:
        return ()
    output, _, description = MAIN_OUTPUTS[name]
    return (Output(output, kind="tree", required=False, help=description),)


def _find_run_files(model: Any, state: Path) -> Iterator[Path]:
    project = model.get_metadata_prop(_PROJECT)
    if project is not None:
        for pattern in _RUN_FILES:
            yield from sorted((state / Path(project).name).glob(pattern))


def copy_main_output(step: Step[Any], name: str, model: Any) -> None:
    """Copy a step's main result from the outputs `output` and `state`, whose paths are already replaced."""
    if name not in MAIN_OUTPUTS:
        return
    output, folder, _ = MAIN_OUTPUTS[name]
    target = step.output(output)
    if folder:
        source = step.output("output") / folder
        if source.is_dir():
            shutil.copytree(source, target)
        return
    files = list(_find_run_files(model, step.output("state")))
    if files:
        target.mkdir()
    for path in files:
        shutil.copyfile(path, target / path.name)
