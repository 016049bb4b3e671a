"""The Tcl that Vivado is given, as a value: commands of words. Non-project mode, out of context. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from bskernel_executors.vivado_synth.parameters import ImplementationParameters, SynthesisParameters

Command: TypeAlias = tuple[str, ...]
CLOCK_PORT = "ap_clk"
CHECKPOINT, UTILIZATION, HIERARCHY = "design.dcp", "utilization.rpt", "hierarchy.xml"
TIMING, POWER, QOR = "timing_summary.rpt", "power.rpt", "qor.json"
REPORTS = (UTILIZATION, HIERARCHY, TIMING, POWER)  # every run must write them; QOR where the version has it


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """Commands in order. `optional` ones come last, and their failing is none."""

    commands: tuple[Command, ...]
    optional: tuple[Command, ...] = ()

    def tcl(self) -> str:
        """As a file for -source. Every word stands in braces where it is not a plain one."""
        lines = [" ".join(map(_word, command)) for command in self.commands]
        lines += [f"catch {{{' '.join(map(_word, command))}}}" for command in self.optional]
        return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    if any(letter in text for letter in "{}\\\n"):
        raise ValueError(f"{text!r} cannot be a word of Tcl here")
    plain = text and all(letter.isalnum() or letter in "_-./:" for letter in text)
    return text if plain else f"{{{text}}}"


def constraints(clock_ns: float) -> str:
    """The clock of a design that is synthesised out of context: its ports have no pins and no delays."""
    return f"create_clock -name {CLOCK_PORT} -period {clock_ns:.3f} [get_ports {CLOCK_PORT}]\n"


def _reports() -> tuple[Command, ...]:
    return (
        ("report_utilization", "-file", UTILIZATION),
        ("report_utilization", "-hierarchical", "-format", "xml", "-file", HIERARCHY),
        ("report_timing_summary", "-file", TIMING),
        ("report_power", "-file", POWER),
    )


_QOR: tuple[Command, ...] = (("report_design_analysis", "-qor_summary", "-json", QOR),)


def synthesis_script(given: SynthesisParameters, *, top: str, sources: Sequence[str], xdc: str) -> Script:
    """From sources to a checkpoint and its reports."""
    return Script(
        commands=(
            ("set_param", "general.maxThreads", str(given.threads)),
            *(("read_verilog", "-sv", source) for source in sources),
            ("read_xdc", "-mode", "out_of_context", xdc),
            (
                "synth_design", "-top", top, "-part", given.part, "-mode", "out_of_context",
                "-directive", given.directive, "-flatten_hierarchy", given.flatten_hierarchy,
            ),
            ("write_checkpoint", "-force", CHECKPOINT),
            *_reports(),
        ),
        optional=_QOR,
    )  # fmt: skip


def implementation_script(given: ImplementationParameters, *, checkpoint: str) -> Script:
    """From a synthesised checkpoint, which holds part and clock, to a routed one and its reports."""
    phys_opt = given.phys_opt_directive
    return Script(
        commands=(
            ("set_param", "general.maxThreads", str(given.threads)),
            ("open_checkpoint", checkpoint),
            ("opt_design", "-directive", given.opt_directive),
            ("place_design", "-directive", given.place_directive),
            *((("phys_opt_design", "-directive", phys_opt),) if phys_opt is not None else ()),
            ("route_design", "-directive", given.route_directive),
            ("write_checkpoint", "-force", CHECKPOINT),
            *_reports(),
        ),
        optional=_QOR,
    )
