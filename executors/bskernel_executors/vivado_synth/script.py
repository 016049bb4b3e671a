"""Vivado's Tcl script as a value: commands made of words. Non-project mode, out of context. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from bskernel_executors.vivado_synth.parameters import ImplementationParameters, SynthesisParameters

Command: TypeAlias = tuple[str, ...]
CLOCK_PORT = "ap_clk"
CHECKPOINT, UTILIZATION, HIERARCHY = "design.dcp", "utilization.rpt", "hierarchy.xml"
TIMING, POWER, QOR = "timing_summary.rpt", "power.rpt", "qor.json"
REPORTS = (UTILIZATION, HIERARCHY, TIMING, POWER)  # every run must write these; QOR depends on the version


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """Commands in order. The `optional` ones come last and may fail."""

    commands: tuple[Command, ...]
    optional: tuple[Command, ...] = ()

    def to_tcl(self) -> str:
        """Write the script for `vivado -source`. A word with special characters is put in braces."""
        lines = [" ".join(map(_word, command)) for command in self.commands]
        lines += [f"catch {{{' '.join(map(_word, command))}}}" for command in self.optional]
        return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    if any(letter in text for letter in "{}\\\n"):
        raise ValueError(f"{text!r} has braces, a backslash or a line end, so it cannot be written as a Tcl word")
    plain = text and all(letter.isalnum() or letter in "_-./:" for letter in text)
    return text if plain else f"{{{text}}}"


def write_constraints(clock_ns: float) -> str:
    """Write the clock constraint. Out of context, ports have no pins and no delays."""
    return f"create_clock -name {CLOCK_PORT} -period {clock_ns:.3f} [get_ports {CLOCK_PORT}]\n"


def _reports() -> tuple[Command, ...]:
    return (
        ("report_utilization", "-file", UTILIZATION),
        ("report_utilization", "-hierarchical", "-format", "xml", "-file", HIERARCHY),
        ("report_timing_summary", "-file", TIMING),
        ("report_power", "-file", POWER),
    )


_QOR: tuple[Command, ...] = (("report_design_analysis", "-qor_summary", "-json", QOR),)


def make_synthesis_script(parameters: SynthesisParameters, *, top: str, sources: Sequence[str], xdc: str) -> Script:
    """Make the script from sources to a synthesised checkpoint and its reports."""
    return Script(
        commands=(
            ("set_param", "general.maxThreads", str(parameters.threads)),
            *(("read_verilog", "-sv", source) for source in sources),
            ("read_xdc", "-mode", "out_of_context", xdc),
            (
                "synth_design", "-top", top, "-part", parameters.part, "-mode", "out_of_context",
                "-directive", parameters.directive, "-flatten_hierarchy", parameters.flatten_hierarchy,
            ),
            ("write_checkpoint", "-force", CHECKPOINT),
            *_reports(),
        ),
        optional=_QOR,
    )  # fmt: skip


def make_implementation_script(parameters: ImplementationParameters, *, checkpoint: str) -> Script:
    """Make the script from a synthesised checkpoint, which contains part and clock, to a routed one with reports."""
    phys_opt = parameters.phys_opt_directive
    return Script(
        commands=(
            ("set_param", "general.maxThreads", str(parameters.threads)),
            ("open_checkpoint", checkpoint),
            ("opt_design", "-directive", parameters.opt_directive),
            ("place_design", "-directive", parameters.place_directive),
            *((("phys_opt_design", "-directive", phys_opt),) if phys_opt is not None else ()),
            ("route_design", "-directive", parameters.route_directive),
            ("write_checkpoint", "-force", CHECKPOINT),
            *_reports(),
        ),
        optional=_QOR,
    )
