"""Which fields of its configuration each step of FINN+ reads, as analysed before, for the FINN+ that is installed.

The analysis parses FINN's source, and needs all of FINN imported: half of the time that the executor takes to start.
Its result for each FINN+ of the recipes is in reads/, with the digests of the files that it followed. For any other
source of FINN's, the executor analyses it at every start.

Run as a program, this prints the file for the FINN+ that is installed.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.finn_step.parameters import FILES
from bskernel_executors.sdk.config_reads import files_followed, find_fields_read
from bskernel_executors.sdk.guarded_config import Settable
from bskernel_executors.sdk.known_sources import digest_of, find_package, has_source

_FOLDER = Path(__file__).with_name("reads")


class StepReads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the executor needs to know of a step function before it runs: fields read, and what the step does."""

    fields: tuple[str, ...]
    summary: str


class KnownReads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The reads of all steps of one FINN+, and the SHA-256 of each file below site-packages that they follow from."""

    sources: Mapping[str, str]
    steps: Mapping[str, StepReads]


def find_known_reads() -> Mapping[str, StepReads]:
    """Find what each step of the FINN+ that is installed reads; nothing if its source is that of no recipe.

    Imports nothing of FINN's.
    """
    package = find_package("finn")
    for path in sorted(_FOLDER.glob("*.json")) if package is not None else ():
        known = msgspec.json.decode(path.read_bytes(), type=KnownReads)
        if package is not None and has_source(package.parent, known.sources):
            return known.steps
    return {}


def analyse_step(function: Callable[..., Any], config: type, settable: Settable) -> StepReads:
    """Analyse the source of a step function (model, cfg)."""
    parameter = list(inspect.signature(function).parameters)[1]
    fields = find_fields_read(function, parameter, config, frozenset(settable) | FILES.keys())
    lines = (inspect.getdoc(function) or "a step of FINN+").strip().splitlines()
    return StepReads(fields=tuple(sorted(fields)), summary=lines[0])


def _analyse_all() -> KnownReads:
    from bskernel_executors.finn_step.finn_steps import find_steps
    from bskernel_executors.finn_step.library import load

    load()
    steps, config, settable = find_steps()
    reads = {name: analyse_step(steps[name], config, settable) for name in sorted(steps)}
    return KnownReads(sources=_sources(files_followed()), steps=reads)


def _sources(files: Iterable[str]) -> dict[str, str]:
    package = find_package("finn")
    if package is None:
        raise ModuleNotFoundError("FINN+ is not installed")
    folder = package.parent
    below = sorted(path for file in files if (path := Path(file)).is_relative_to(folder))
    return {str(path.relative_to(folder)): digest_of(path) for path in below}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # FINN+ prints while it is imported
        found = _analyse_all()
    sys.stdout.write(pretty_json(found))
