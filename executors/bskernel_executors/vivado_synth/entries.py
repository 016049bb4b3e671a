"""The entries of the vivado-synth executor."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import Design, read_design
from bskernel_executors.exchange.synthesis import Implementation, TimedSynthesis
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure
from bskernel_executors.vivado_synth.artifacts import copy_texts
from bskernel_executors.vivado_synth.batch_run import run_vivado
from bskernel_executors.vivado_synth.parameters import ImplementationParameters, SynthesisParameters
from bskernel_executors.vivado_synth.results import read_implementation_run, read_synthesis_run
from bskernel_executors.vivado_synth.script import (
    CHECKPOINT,
    QOR,
    REPORTS,
    make_implementation_script,
    make_synthesis_script,
    write_constraints,
)

registry = Registry(executor="vivado-synth", summary="synthesises and implements a stitched design with Vivado")
_TOOL = "vivado"
_XDC = "clock.xdc"
_TEXTS = (*REPORTS, QOR, "vivado.log", "run.tcl", _XDC)
_OUTPUTS = (*REPORTS, CHECKPOINT)
_RTL = Input("rtl", kind="tree", help="stitched design")
_JSON = "application/json"
SYNTHESIS_DIFFERENCES = (
    "before placement: the design is not optimised yet, so there are more LUTs, and wire delays are estimates",
)


def _copy_sources(rtl: Path, folder: Path, design: Design) -> None:
    """Copy the sources and make paths of memories absolute: Vivado does not document where it looks for them."""
    if (rtl / "mem").is_dir():
        shutil.copytree(rtl / "mem", folder / "mem")
    for source in design.sources:
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (rtl / source).read_text(encoding="utf-8")
        target.write_text(re.sub(r'"mem/', f'"{folder}/mem/', text), encoding="utf-8")


def _identity(step: Step[Any]) -> str:
    identity = step.tools.get(_TOOL)
    if identity is None:
        raise StepFailure(category="executor", message=f"step {step.name} was started without {_TOOL}")
    return identity


def _rows(result: TimedSynthesis | Implementation) -> list[dict[str, str]]:
    rows = [{"label": "warning", "value": text, "note": result.tool} for text in result.warnings]
    if result.met is False:
        value = f"{result.wns_ns} ns setup, {result.whs_ns} ns hold slack at {result.clock_ns} ns"
        rows.insert(0, {"label": "timing NOT met", "value": value, "note": result.tool})
    return rows


@registry.entry(
    "synthesize",
    summary="synth_design out of context: resources of the design and its layers, slack before placement",
    parameters=SynthesisParameters,
    inputs=(_RTL,),
    outputs=(
        Output("synthesis", kind="file", media_type=_JSON),
        Output("checkpoint", kind="file", help="synthesised design, for implement"),
        Output("vivado_synthesis", kind="tree", help="reports, log and script"),
    ),
    stage_in=("rtl",),
    stage_out="netlist",
    needs=(_TOOL,),
    failure="synthesis",
)
def synthesize(step: Step[SynthesisParameters]) -> None:
    """Synthesise the design."""
    parameters, rtl, identity = step.params, step.required_input("rtl"), _identity(step)
    design = read_design(rtl)
    folder = step.work / "vivado"
    folder.mkdir()
    _copy_sources(rtl, folder, design)
    (folder / _XDC).write_text(write_constraints(parameters.clock_ns), encoding="utf-8")
    script = make_synthesis_script(parameters, top=design.top, sources=design.sources, xdc=_XDC)
    run_vivado(folder, script.to_tcl(), identity=identity, outputs=_OUTPUTS, report=step.progress)
    result = read_synthesis_run(
        folder,
        identity=identity,
        part=parameters.part,
        clock_ns=parameters.clock_ns,
        layers=design.layers,
        differences=SYNTHESIS_DIFFERENCES,
    )
    step.output("synthesis").write_text(pretty_json(result), encoding="utf-8")
    shutil.copyfile(folder / CHECKPOINT, step.output("checkpoint"))
    copy_texts(folder, step.output("vivado_synthesis"), _TEXTS, step.work)
    step.record({"summary": _rows(result), "stand_in": result.stand_in})


@registry.entry(
    "implement",
    summary="opt, place, phys_opt and route out of context: resources, slack, clock and power of the routed design",
    parameters=ImplementationParameters,
    inputs=(Input("checkpoint", kind="file", help="checkpoint from synthesize"), _RTL),
    outputs=(
        Output("implementation", kind="file", media_type=_JSON),
        Output("routed_checkpoint", kind="file"),
        Output("vivado_implementation", kind="tree", help="reports, log and script"),
    ),
    stage_in=("netlist",),
    needs=(_TOOL,),
    failure="synthesis",
)
def implement(step: Step[ImplementationParameters]) -> None:
    """Implement the design. A missed clock is a result; with `require_timing` it is a failure (timing)."""
    parameters, identity = step.params, _identity(step)
    design = read_design(step.required_input("rtl"))
    folder = step.work / "vivado"
    folder.mkdir()
    shutil.copyfile(step.required_input("checkpoint"), folder / "synthesized.dcp")
    script = make_implementation_script(parameters, checkpoint="synthesized.dcp")
    run_vivado(folder, script.to_tcl(), identity=identity, outputs=_OUTPUTS, report=step.progress)
    result = read_implementation_run(
        folder,
        identity=identity,
        part=parameters.part,
        clock_ns=parameters.clock_ns,
        layers=design.layers,
    )
    if parameters.require_timing and result.met is not True:
        why = "no endpoint was checked" if result.met is None else f"worst slack {result.wns_ns} ns"
        raise StepFailure(
            category="timing",
            message=f"the routed design does not run at {parameters.clock_ns:g} ns: {why}",
            hint="try a longer target.clock_ns, other directives or less parallelism, or set require_timing = false",
        )
    step.output("implementation").write_text(pretty_json(result), encoding="utf-8")
    shutil.copyfile(folder / CHECKPOINT, step.output("routed_checkpoint"))
    copy_texts(folder, step.output("vivado_implementation"), _TEXTS, step.work)
    step.record({"summary": _rows(result), "stand_in": result.stand_in})
