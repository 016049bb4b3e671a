"""The entries of the vivado-synth executor."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure
from bskernel_executors.vivado_synth.artifacts import keep_texts
from bskernel_executors.vivado_synth.parameters import ImplementationParameters, SynthesisParameters
from bskernel_executors.vivado_synth.results import Result, read_result
from bskernel_executors.vivado_synth.running import run_vivado
from bskernel_executors.vivado_synth.script import (
    CHECKPOINT,
    QOR,
    REPORTS,
    constraints,
    implementation_script,
    synthesis_script,
)

registry = Registry(executor="vivado-synth", summary="synthesises and implements a stitched design with Vivado")
_TOOL = "vivado"
_XDC = "clock.xdc"
_TEXTS = (*REPORTS, QOR, "vivado.log", "run.tcl", _XDC)
_RTL = Input("rtl", kind="tree", help="a stitched design")
_JSON = "application/json"
SYNTHESIS_DIFFERENCES = (
    "before placement: LUTs fall when the design is optimised, and delays of wires are estimates",
)


def _design(rtl: Path) -> dict[str, Any]:
    design: dict[str, Any] = json.loads((rtl / "design.json").read_text(encoding="utf-8"))
    return design


def _sources(rtl: Path, folder: Path, design: dict[str, Any]) -> list[str]:
    """Copies of the sources whose memories are named by absolute paths: where Vivado looks for others is unsaid."""
    if (rtl / "mem").is_dir():
        shutil.copytree(rtl / "mem", folder / "mem")
    paths = []
    for source in design["sources"]:
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (rtl / source).read_text(encoding="utf-8")
        target.write_text(re.sub(r'"mem/', f'"{folder}/mem/', text), encoding="utf-8")
        paths.append(source)
    return paths


def _identity(step: Step[Any]) -> str:
    identity = step.tools.get(_TOOL)
    if identity is None:
        raise StepFailure(category="executor", message=f"step {step.name} was given no {_TOOL}")
    return identity


def _rows(result: Result) -> list[dict[str, str]]:
    rows = [{"label": "warning", "value": text, "note": result.tool} for text in result.warnings]
    if result.met is False:
        value = f"{result.wns_ns} ns setup, {result.whs_ns} ns hold slack at {result.clock_ns} ns"
        rows.insert(0, {"label": "timing NOT met", "value": value, "note": result.tool})
    return rows


@registry.entry(
    "synthesize",
    summary="synth_design out of context: counts of the design and of its layers, slack before placement",
    parameters=SynthesisParameters,
    inputs=(_RTL,),
    outputs=(
        Output("synthesis", kind="file", media_type=_JSON),
        Output("checkpoint", kind="file", help="the synthesised design, for implement"),
        Output("vivado_synthesis", kind="tree", help="reports, log and script"),
    ),
    stage_in=("rtl",),
    stage_out="netlist",
    needs=(_TOOL,),
    failure="synthesis",
)
def synthesize(step: Step[SynthesisParameters]) -> None:
    """Synthesise."""
    given, rtl, identity = step.params, step.required_input("rtl"), _identity(step)
    design = _design(rtl)
    folder = step.work / "vivado"
    folder.mkdir()
    sources = _sources(rtl, folder, design)
    (folder / _XDC).write_text(constraints(given.clock_ns), encoding="utf-8")
    script = synthesis_script(given, top=design["top"], sources=sources, xdc=_XDC)
    needed = (*REPORTS, CHECKPOINT)
    run_vivado(folder, script.tcl(), identity=identity, reports=needed, tell=step.progress)
    result = read_result(
        folder,
        identity=identity,
        stage="synth",
        part=given.part,
        clock_ns=given.clock_ns,
        layers=tuple(design["layers"]),
        differences=SYNTHESIS_DIFFERENCES,
    )
    step.output("synthesis").write_text(pretty_json(result), encoding="utf-8")
    shutil.copyfile(folder / CHECKPOINT, step.output("checkpoint"))
    keep_texts(folder, step.output("vivado_synthesis"), _TEXTS, step.work)
    step.record({"summary": _rows(result), "stand_in": result.stand_in})


@registry.entry(
    "implement",
    summary="opt, place, phys_opt and route out of context: counts, slack, clock and power of the routed design",
    parameters=ImplementationParameters,
    inputs=(Input("checkpoint", kind="file", help="what synthesize made"), _RTL),
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
    """Implement; a clock that is not met is a result, and a failure only where `require_timing` says so."""
    given, identity = step.params, _identity(step)
    design = _design(step.required_input("rtl"))
    folder = step.work / "vivado"
    folder.mkdir()
    shutil.copyfile(step.required_input("checkpoint"), folder / "synthesized.dcp")
    script = implementation_script(given, checkpoint="synthesized.dcp")
    needed = (*REPORTS, CHECKPOINT)
    run_vivado(folder, script.tcl(), identity=identity, reports=needed, tell=step.progress)
    result = read_result(
        folder,
        identity=identity,
        stage="routed",
        part=given.part,
        clock_ns=given.clock_ns,
        layers=tuple(design["layers"]),
    )
    if given.require_timing and result.met is not True:
        said = "no endpoint was checked" if result.met is None else f"worst slack {result.wns_ns} ns"
        raise StepFailure(
            category="timing",
            message=f"the routed design does not run at {given.clock_ns:g} ns: {said}",
            hint="ask for a longer target.clock_ns, other directives, or less parallelism; or require_timing = false",
        )
    step.output("implementation").write_text(pretty_json(result), encoding="utf-8")
    shutil.copyfile(folder / CHECKPOINT, step.output("routed_checkpoint"))
    keep_texts(folder, step.output("vivado_implementation"), _TEXTS, step.work)
    step.record({"summary": _rows(result), "stand_in": result.stand_in})
