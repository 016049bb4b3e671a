"""FINN's build configuration for one of Brainsmith's steps, made from the step's parameters."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bskernel_executors.sdk import StepFailure, guarded_config, parameter
from bskernel_executors.sdk.guarded_config import Settable

DEFAULT_FROM = {
    "synth_clk_period_ns": "target.clock_ns",
    "fpga_part": "target.part",
    "board": "target.board",
    "target_fps": "target.target_fps",
}
# Files that a build may give. They are named inputs of the steps that read them, so no path enters the key.
FILES = {"folding_config_file": "folding_config", "specialize_layers_config_file": "specialize_layers_config"}
# The executor decides where files go and how much is printed.
_CONSTANT = frozenset(
    {
        "output_dir", "save_intermediate_models", "verbose", "steps", "start_step", "stop_step",
        "enable_build_pdb_debug", "no_stdout_redirect",
    }
)  # fmt: skip
# Fields that a blueprint sets in its own words: field -> our parameter.
_OF_BLUEPRINT = {"kernel_selections": "kernels", "generate_outputs": "output"}
Kernels = Annotated[
    list[str | dict[str, str | list[str]]],
    parameter("kernels to use, as in a blueprint: NAME or { NAME = [BACKEND, ...] }, in order of preference"),
]
Output = Annotated[Literal["estimates", "rtl", "bitfile"], parameter("what the build produces, as in a blueprint")]


def load_config_type() -> type:
    """Return the DataflowBuildConfig of the installed FINN."""
    found: type = importlib.import_module("finn.builder.build_dataflow_config").DataflowBuildConfig
    return found


def settable_fields(config: type) -> Settable:
    """Return name -> (type, default) of every plain field that a build may set."""
    return guarded_config.settable_fields(config, _CONSTANT | FILES.keys() | _OF_BLUEPRINT.keys())


def fields_of(settable: Settable) -> frozenset[str]:
    """Return all fields that a step might read."""
    return frozenset({*settable, *FILES, *_OF_BLUEPRINT})


def parameters_struct(entry: str, read: frozenset[str], settable: Settable) -> type[msgspec.Struct]:
    """Make the struct of a step's parameters: the plain fields that it reads, plus `kernels` and `output`."""
    plain = guarded_config.parameters_struct(
        entry, read & settable.keys(), settable, of="DataflowBuildConfig", default_from=DEFAULT_FROM
    )
    fields: list[Any] = []
    if "kernel_selections" in read:
        fields.append(("kernels", Kernels, msgspec.field(default_factory=list)))
    if "generate_outputs" in read:
        fields.append(("output", Output, "estimates"))
    kwargs: dict[str, Any] = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
    return msgspec.defstruct(plain.__name__, fields, bases=(plain,), **kwargs) if fields else plain


def make_config(values: dict[str, Any], files: dict[str, Path], output: Path, work: Path) -> Any:
    """Make the configuration of one step. Reading a field that the step does not declare fails."""
    config = load_config_type()
    settable = settable_fields(config)
    given = {name: value for name, value in values.items() if name in settable}
    given |= {field: str(path) for field, path in files.items()}
    resolved = _resolve_blueprint(values, work)
    always = {"output_dir": str(output), "save_intermediate_models": False, **resolved}
    # A file that the build does not give is None, which the step may read.
    guarded = (settable.keys() | _OF_BLUEPRINT.keys()) - resolved.keys()
    return guarded_config.make_guarded(config, given, guarded, always=always, what="FINN's configuration")


def _resolve_blueprint(values: dict[str, Any], work: Path) -> dict[str, Any]:
    """Let Brainsmith parse a blueprint with `kernels` and `output`, and return the fields that it sets."""
    if not {"kernels", "output"} & values.keys():
        return {}
    dse = importlib.import_module("brainsmith.dse")
    outputs = importlib.import_module("finn.builder.build_dataflow_config").DataflowOutputType
    blueprint = {
        "name": "step",
        "clock_ns": 1.0,
        "board": values.get("board") or "unnamed",
        "output": values.get("output", "estimates"),
        "design_space": {"steps": [], "kernels": values.get("kernels", [])},
    }
    path = work / "blueprint.yaml"
    path.write_text(json.dumps(blueprint), encoding="utf-8")  # JSON is YAML
    try:
        space, configuration = dse.parse_blueprint(str(path), "")
        chosen = dse.build_tree(space, configuration).root.finn_config.get("kernel_selections")
    except (KeyError, ValueError) as error:
        text = str(error.args[0] if error.args else error)
        raise StepFailure(
            category="config",
            message=f"parameters.kernels: {text.splitlines()[0]}",
            cause=tuple(line for line in text.splitlines()[1:] if line.strip()),
        ) from error
    fields: dict[str, Any] = {}
    if "kernels" in values:
        fields["kernel_selections"] = chosen
    if "output" in values:
        fields["generate_outputs"] = [outputs(name) for name in configuration.output.to_finn_outputs()]
    return fields
