"""How fields of a blueprint correspond to those of a build.toml."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.blueprint.model import Kernels
from bskernel.core.errors import ConfigError


class FileField(msgspec.Struct, frozen=True, kw_only=True):
    """A file of finn_config: the input of the executor's entries, and the steps that read it."""

    name: str
    steps: tuple[str, ...]


TARGET = {
    "synth_clk_period_ns": "clock_ns",
    "board": "board",
    "fpga_part": "part",
    "target_fps": "target_fps",
}
FILES = {
    "folding_config_file": FileField(
        name="folding_config", steps=("apply_folding_config", "apply_parallelization_config", "set_fifo_depths")
    ),
    "specialize_layers_config_file": FileField(
        name="specialize_layers_config", steps=("build_hw_graph", "specialize_layers")
    ),
}
# Fields of FINN's configuration that the executor sets itself.
OWN = frozenset(
    {
        "output_dir", "generate_outputs", "save_intermediate_models", "verbose", "steps", "start_step", "stop_step",
        "enable_build_pdb_debug", "no_stdout_redirect", "kernel_selections",
    }
)  # fmt: skip


def entry_of(step: str) -> str:
    """EXECUTOR:ENTRY of a step's name, which may be SOURCE:STEP."""
    return f"brainsmith:{step.replace(':', '.')}"


def step_of(executor: str, entry: str, name: str) -> str | None:
    """The blueprint's name of a step called `name` that runs an entry, or None when a blueprint has none.

    The entry X of finn-step stands for FINN's step_X where the step has that name.
    """
    if executor == "brainsmith":
        return entry.replace(".", ":")
    if executor == "finn-step" and (entry.startswith("step_") or name == f"step_{entry}"):
        return f"finn:{entry.removeprefix('step_')}"
    return None


def kernels_of(data: Any, where: str) -> Kernels:
    """Kernels as a blueprint or `parameters.brainsmith.kernels` lists them. Raises ConfigError."""
    kernels: list[str | dict[str, tuple[str, ...]]] = []
    for item in data or ():
        if isinstance(item, str):
            kernels.append(item)
            continue
        if not isinstance(item, dict) or len(item) != 1:
            raise ConfigError(f"{where}: {item!r} is neither NAME nor NAME: [BACKEND, ...]")
        ((name, backends),) = item.items()
        chosen = [backends] if isinstance(backends, str) else backends
        if not isinstance(chosen, list) or not chosen or not all(isinstance(one, str) for one in chosen):
            raise ConfigError(f"{where}: {name}: a list of backends, not {backends!r}")
        kernels.append({str(name): tuple(chosen)})
    return tuple(kernels)
