"""An entry for each step of the installed FINN+, by itself or with recipes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.known_reads import StepReads
from bskernel_executors.finn_step.known_steps import FAILURES, HLS_ALWAYS, HLS_BY_LAYER, STAGES, TOOLS
from bskernel_executors.finn_step.library_steps import find_library_steps
from bskernel_executors.finn_step.main_output import declare_main_output
from bskernel_executors.finn_step.parameters import FILES, FORMS, parameters_struct, settable_fields
from bskernel_executors.finn_step.paths import DEPENDENCIES
from bskernel_executors.finn_step.recipe_entry import make_rows, recipe_parameters, run_by_recipe
from bskernel_executors.finn_step.recipes import Purpose
from bskernel_executors.finn_step.step_call import StepFunction, run_step
from bskernel_executors.sdk import Entry, Input, Registry, Step
from bskernel_executors.sdk.guarded_config import Settable
from bskernel_executors.sdk.parameters import describe_parameters

_FILE_INPUTS = {
    name: Input(
        name,
        kind="file",
        required=False,
        help=FORMS[name],
        source="flow" if name == "folding_config" else "config",  # optimize_folding writes one
        media_type="application/json",
    )
    for name in FILES.values()
}

_DEPENDENCIES = Input(
    DEPENDENCIES,
    kind="tree",
    required=False,
    help="FINN+'s downloaded dependencies: finn-hlslib, board_files",
    source="config",
)


def find_steps() -> tuple[dict[str, StepFunction], type, Settable]:
    """Find FINN's steps and those of its library by name, its configuration, and the fields that a build may set."""
    config: type = importlib.import_module("finn.builder.build_dataflow_config").DataflowBuildConfig
    steps: dict[str, StepFunction] = importlib.import_module(
        "finn.builder.build_dataflow_steps"
    ).build_dataflow_step_lookup
    return {**steps, **find_library_steps(steps)}, config, settable_fields(config)


def declare_step(
    registry: Registry,
    name: str,
    function: StepFunction,
    reads: StepReads,
    settable: Settable,
    *,
    entry: str | None = None,
    check: Callable[[Any], None] | None = None,
) -> None:
    """Declare an entry that runs FINN's step `name`, called so or `entry`; `check` may refuse what it made."""
    read = frozenset(reads.fields)
    struct = parameters_struct(name, read, settable)
    stage_in, stage_out = STAGES.get(name, ((), None))
    given = tuple(_FILE_INPUTS[FILES[field]] for field in sorted(read & FILES.keys()))
    if name in HLS_ALWAYS | HLS_BY_LAYER:
        given = (*given, msgspec.structs.replace(_DEPENDENCIES, required=name in HLS_ALWAYS))
    more = "; refuse what RTL does not have" if check else ""

    def run(model: Any, cfg: Any) -> Any:
        changed = function(model, cfg)
        if check is not None:
            check(changed)
        return changed

    registry.add(
        Entry(
            description=EntryDescription(
                name=entry or name,
                summary=reads.summary + more,
                parameters=describe_parameters(struct),
                inputs=FLOW_INPUTS + given,
                outputs=FLOW_OUTPUTS + declare_main_output(name),
                stage_in=stage_in,
                stage_out=stage_out,
                needs=TOOLS.get(name, ()),
                failure=FAILURES.get(name, "transform"),
            ),
            parameters=struct,
            function=lambda step: run_step(step, name, run, msgspec.structs.asdict(step.params)),
        )
    )


def declare_by_recipe(
    registry: Registry,
    purpose: Purpose,
    name: str,
    reads: StepReads,
    settable: Settable,
    entry: str | None = None,
) -> None:
    """Declare an entry that runs FINN's step `name`, or another recipe where the network needs one."""
    struct = recipe_parameters(purpose, parameters_struct(name, frozenset(reads.fields) & settable.keys(), settable))
    more = "; thresholds are layers of their own, as RTL needs them" if entry else ""
    stage_in, stage_out = STAGES[name]

    def run(step: Step[Any]) -> None:
        values = msgspec.structs.asdict(step.params)
        recipe, own = values.pop("recipe"), tuple(values.pop("transformations"))
        rows: list[dict[str, str]] = []

        def change(model: Any, cfg: Any) -> Any:
            model, choice = run_by_recipe(model, cfg, purpose, recipe, own)
            step.record({"recipe": choice.recipe})
            rows.extend(make_rows(purpose, choice))
            return model

        run_step(step, name, change, values)
        step.record({"summary": [*step.facts.get("summary", ()), *rows]})

    registry.add(
        Entry(
            description=EntryDescription(
                name=entry or purpose,
                summary=f"{name}, or a recipe for networks with branches, chosen by what the network contains{more}",
                parameters=describe_parameters(struct),
                inputs=FLOW_INPUTS,
                outputs=FLOW_OUTPUTS,
                stage_in=stage_in,
                stage_out=stage_out,
                failure=FAILURES.get(name, "transform"),
            ),
            parameters=struct,
            function=run,
        )
    )
