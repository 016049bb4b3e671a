"""FINN's build configuration: the fields that a build may set, and a configuration that guards one step's reads."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.dataflow.widths import WIDEST
from bskernel_executors.exchange.parts import AMD_EXAMPLES, AMD_PATTERN
from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.lattice.devices import EXAMPLES, PATTERN, TITLE, part_for_finn
from bskernel_executors.sdk import guarded_config
from bskernel_executors.sdk.guarded_config import Settable

DEFAULT_FROM = {
    "synth_clk_period_ns": "target.clock_ns",
    "fpga_part": "target.part",
    "board": "target.board",
    "target_fps": "target.target_fps",
}
# Defaults that differ from FINN's own. `adapt` has the same one.
_DEFAULTS = {"max_multithreshold_bit_width": WIDEST}
# AMD's form, device, package, speed grade; or Lattice's, for which FINN computes with a stand-in. FINN's estimates
# accept any text.
Part = Annotated[
    str,
    msgspec.Meta(
        pattern=f"^({AMD_PATTERN}|{PATTERN})$",
        extra_json_schema={"title": f"part of AMD's or of {TITLE}", "examples": [*AMD_EXAMPLES, *EXAMPLES]},
    ),
]
# Files that a build may give. They are named inputs of the steps that read them, so no path enters the key.
FILES = {
    "folding_config_file": "folding_config",
    "specialize_layers_config_file": "specialize_layers_config",
    "fifo_config_file": "fifo_config",
}
FORMS = {
    "folding_config": "PE, SIMD and memory of layers by name, as in FINN's auto_folding_config.json",
    "specialize_layers_config": "backend of layers by name, as in FINN's template_specialize_layers_config.json",
    "fifo_config": "depth, implementation and memory of FIFOs by name, as size_fifos writes them",
}
# The executor decides where files go and how much is printed.
CONSTANT = frozenset(
    {
        "config_path", "model_path", "output_dir", "generate_outputs", "save_intermediate_models", "verbose", "steps",
        "start_step", "stop_step", "enable_build_pdb_debug", "console_log_level", "enable_exception_snapshots",
    }
)  # fmt: skip


@functools.cache
def settable_fields(config: type) -> Settable:
    """Return name -> (type, default) of every field that a build may set. The default is a plain value.

    Computed once, like the guarded class, in the server from which steps are forked.
    """
    guarded_config.guarded_class(config)
    found = guarded_config.settable_fields(config, CONSTANT | FILES.keys())
    return {name: (kind, _DEFAULTS.get(name, default)) for name, (kind, default) in found.items()}


def parameters_struct(step: str, names: frozenset[str], settable: Settable) -> type[msgspec.Struct]:
    """Make the struct of a step's parameters. Who reads the part needs one: planning takes it from the board."""
    return guarded_config.parameters_struct(
        step,
        names,
        settable,
        of="DataflowBuildConfig",
        default_from=DEFAULT_FROM,
        required={"fpga_part": Part},
    )


def choose_finns_target(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a configuration with a part, and no board, that FINN knows in place of Lattice's."""
    chosen = dict(values)
    if chosen.get("board") in list_board_parts():
        chosen["board"] = None
    if chosen.get("fpga_part") is not None:
        chosen["fpga_part"] = part_for_finn(chosen["fpga_part"])
    return chosen


def make_config(
    config: type, values: dict[str, Any], files: dict[str, Path], output: Path, outputs: list[Any]
) -> Any:
    """Make the configuration of one step. Reading a settable field that the step does not declare fails."""
    always = {"output_dir": str(output), "generate_outputs": outputs, "save_intermediate_models": False}
    always |= {field: str(path) for field, path in files.items()}
    guarded = settable_fields(config).keys()
    return guarded_config.make_guarded(config, values, guarded, always=always, what="FINN's configuration")
