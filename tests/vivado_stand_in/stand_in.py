"""The STAND-IN for Vivado: takes batch mode's options, checks the Tcl, writes recorded reports."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
VERSION, BUILD = os.environ["STAND_IN_VERSION"], os.environ["STAND_IN_BUILD"]
BEHAVIOUR = (HERE / "behaviour").read_text().strip()
NOTE = "STAND-IN: recorded from a real run of another design; no result of this one"
# Of each command: its options, with whether a value follows; and what must have been done before.
COMMANDS: dict[str, tuple[dict[str, bool], str | None]] = {
    "set_param": ({}, None),
    "read_verilog": ({"-sv": False}, None),
    "read_xdc": ({"-mode": True}, "read_verilog"),
    "synth_design": (
        {"-top": True, "-part": True, "-mode": True, "-directive": True, "-flatten_hierarchy": True},
        "read_xdc",
    ),
    "open_checkpoint": ({}, None),
    "opt_design": ({"-directive": True}, "synth_design"),
    "place_design": ({"-directive": True}, "opt_design"),
    "phys_opt_design": ({"-directive": True}, "place_design"),
    "route_design": ({"-directive": True}, "place_design"),
    "write_checkpoint": ({"-force": False}, "synth_design"),
    "report_utilization": (
        {"-file": True, "-hierarchical": False, "-hierarchical_depth": True, "-format": True},
        "synth_design",
    ),
    "report_timing_summary": ({"-file": True}, "synth_design"),
    "report_power": ({"-file": True}, "synth_design"),
    "report_design_analysis": ({"-qor_summary": False, "-json": True}, "synth_design"),
}


class TclError(Exception):
    """A command that fails."""


class Vivado:
    """One run."""

    def __init__(self, log: Path) -> None:
        self.log = log.open("w", encoding="utf-8")
        self.done: list[str] = []
        self.sources: list[Path] = []
        self.say("#" + "-" * 59)
        self.say(f"# Vivado STAND-IN v{VERSION} (64-bit)")
        self.say(f"# SW Build {BUILD} on no day")
        self.say("#" + "-" * 59)

    def say(self, text: str) -> None:
        for stream in (sys.stdout, self.log):
            print(text, file=stream, flush=True)

    def message(self, severity: str, identity: str, text: str) -> None:
        self.say(f"{severity}: [{identity}] STAND-IN: {text}")

    def run(self, script: str) -> int:
        """Carry out the script; the exit code."""
        for line in script.splitlines():
            words = split(line)
            if not words or words[0].startswith("#"):
                continue
            try:
                if words[0] == "catch":
                    self.call(split(words[1]))
                else:
                    self.call(words)
            except TclError as error:
                if words[0] == "catch":
                    continue
                self.say(str(error))
                self.message("INFO", "Common 17-206", "Exiting Vivado")
                return 1
        self.message("INFO", "Common 17-206", "Exiting Vivado")
        return 0

    def call(self, words: list[str]) -> None:
        name, *rest = words
        if name not in COMMANDS:
            raise TclError(f'STAND-IN: invalid command name "{name}"')
        known, before = COMMANDS[name]
        options: dict[str, str] = {}
        values: list[str] = []
        while rest:
            word = rest.pop(0)
            if not word.startswith("-"):
                values.append(word)
            elif word not in known or (known[word] and not rest):
                raise TclError(f"ERROR: [Common 17-170] STAND-IN: Unknown option '{word}', or without its value")
            else:
                options[word] = rest.pop(0) if known[word] else ""
        if before is not None and before not in self.done:
            raise TclError(f"ERROR: [Common 17-53] STAND-IN: {name} before {before}: No open design")
        self.say(f"Command: {' '.join(words)}")
        action: Callable[[dict[str, str], list[str]], None] | None = getattr(self, name, None)
        if action is not None:
            action(options, values)
        self.done.append(name)

    def read_verilog(self, options: dict[str, str], values: list[str]) -> None:
        for value in values:
            path = Path(value)
            if not path.is_file():
                raise TclError(f"ERROR: [Common 17-55] STAND-IN: File '{value}' does not exist")
            if path.suffix == ".sv" and "-sv" not in options:
                raise TclError(f"ERROR: [Synth 8-2715] STAND-IN: syntax error: {value} is SystemVerilog")
            self.sources.append(path)

    def read_xdc(self, options: dict[str, str], values: list[str]) -> None:
        if options.get("-mode") != "out_of_context":
            raise TclError("ERROR: [Common 17-69] STAND-IN: constraints are not read out of context")
        clocks = re.findall(r"create_clock .*-period (\d+\.?\d*) .*\[get_ports \{?(\w+)", Path(values[0]).read_text())
        if not clocks or float(clocks[0][0]) <= 0:
            raise TclError("ERROR: [Common 17-69] STAND-IN: the constraints define no clock")
        self.clock = clocks[0][1]

    def synth_design(self, options: dict[str, str], values: list[str]) -> None:
        text = "\n".join(path.read_text() for path in self.sources)
        top = re.search(rf"^module {options['-top']}\b.*?\);", text, re.DOTALL | re.MULTILINE)
        if top is None or not re.search(rf"\b{self.clock}\b", top.group()):
            raise TclError(f"ERROR: [Synth 8-439] STAND-IN: module '{options['-top']}' with {self.clock} not found")
        if not options["-part"].startswith("xc") or options.get("-mode") != "out_of_context":
            raise TclError(f"ERROR: [Common 17-69] STAND-IN: Command failed: part {options['-part']}, or its mode")
        for path in re.findall(r'"([^"\n]*\.dat)"', text):
            if "%" not in path and not Path(path).is_file():
                self.message("CRITICAL WARNING", "Synth 8-4445", f"could not open $readmem data file '{path}'")
        if BEHAVIOUR == "lost_memory":
            self.message(
                "CRITICAL WARNING", "Synth 8-4445", "could not open $readmem data file 'weights.dat'; ignoring"
            )
        elif BEHAVIOUR == "licence":
            self.fail("Common 17-345", "A valid license was not found for feature 'Synthesis' and/or device 'xc'")
        elif BEHAVIOUR == "syntax":
            self.fail("Synth 8-439", "module 'mvu_vvu' not found [top.sv:12]")
        elif BEHAVIOUR == "hang":
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
            self.say("STAND-IN: hangs now")
            time.sleep(3600)
        elif BEHAVIOUR == "crash":
            Path("hs_err_pid1.log").write_text("STAND-IN: a crash\n")
            self.say("STAND-IN: An unexpected error has occurred (11)")
            os.kill(os.getpid(), signal.SIGSEGV)
        elif BEHAVIOUR == "out_of_memory":
            self.say("STAND-IN: loader: line 312: 4711 Killed")
            sys.exit(137)

    def open_checkpoint(self, options: dict[str, str], values: list[str]) -> None:
        if not Path(values[0]).is_file() or "STAND-IN" not in Path(values[0]).read_text():
            raise TclError(
                f"ERROR: [Vivado 12-172] STAND-IN: File or Directory '{values[0]}' does not exist, or no checkpoint"
            )
        self.done.append("synth_design")

    def place_design(self, options: dict[str, str], values: list[str]) -> None:
        if BEHAVIOUR == "resource":
            self.fail("Place 30-640", "Place Check : This design requires more Slice LUTs cells than are available")

    def route_design(self, options: dict[str, str], values: list[str]) -> None:
        if BEHAVIOUR == "missed":
            self.message("CRITICAL WARNING", "Timing 38-282", "The design failed to meet the timing requirements.")

    def fail(self, identity: str, text: str) -> NoReturn:
        self.message("ERROR", "Memdata 28-96", "Could not find a BMM_INFO_DESIGN property in the design.")
        self.message("ERROR", identity, text)
        self.message("ERROR", "Common 17-69", "Command failed: see the log")
        raise TclError("ERROR: [Common 17-39] STAND-IN: 'command' failed due to earlier errors.")

    def write_checkpoint(self, options: dict[str, str], values: list[str]) -> None:
        if BEHAVIOUR == "disk_full":
            self.say("STAND-IN: couldn't write the checkpoint: No space left on device")
            raise TclError("ERROR: [Common 17-39] STAND-IN: 'write_checkpoint' failed due to earlier errors.")
        Path(values[0]).write_text("STAND-IN: no checkpoint\n")

    def recorded(self, name: str, target: str) -> None:
        text = (DATA / name).read_text().replace("Vivado v.", f"Vivado STAND-IN v.{VERSION} instead of v.")
        Path(target).write_text(f"# {NOTE}\n{text}")

    def report_utilization(self, options: dict[str, str], values: list[str]) -> None:
        routed = "route_design" in self.done
        if "-hierarchical" not in options:
            self.recorded("routed.rpt" if routed else "synthesized.rpt", options["-file"])
            return
        names = ("Instance", "Module", "Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18")
        counts = (999, 944, 48, 7, 920, 0, 0) if routed else (1526, 1478, 0, 48, 2428, 0, 0)
        layer = (100, 90, 10, 0, 120, 0, 0)
        rows = [("bskernel_top", "(top)", *counts, *((0, 0) if routed else (66,)))]
        rows.append(("  MVAU_rtl_0_i", "MVAU_rtl_0", *layer, *((0, 2) if routed else (2,))))
        head = (*names, *(("URAM", "DSP Blocks") if routed else ("DSP Blocks",)))

        def line(cells: tuple[object, ...], tag: str) -> str:
            return f"<tablerow>{''.join(f'<{tag} contents={json.dumps(str(cell))}/>' for cell in cells)}</tablerow>"

        text = line(head, "tableheader") + "".join(line(row, "tablecell") for row in rows)
        Path(options["-file"]).write_text(
            f"<RptDoc title={json.dumps(NOTE)}><section><table>{text}</table></section></RptDoc>"
        )

    def report_timing_summary(self, options: dict[str, str], values: list[str]) -> None:
        self.recorded("timing.rpt", options["-file"])
        if BEHAVIOUR != "missed":
            # The one report at hand misses its clock: a slack is put in so that a met one can be read too.
            path = Path(options["-file"])
            text = path.read_text().replace(
                "Timing constraints are not met.", "All user specified timing constraints are met."
            )
            row = re.compile(r"-3\.463 ( +)-4\.140( +)10 ")
            path.write_text(row.sub(r" 0.537 \1 0.000\2 0 ", text))

    def report_power(self, options: dict[str, str], values: list[str]) -> None:
        self.recorded("power.rpt", options["-file"])

    def report_design_analysis(self, options: dict[str, str], values: list[str]) -> None:
        if float(VERSION[:6]) < 2021.1:
            raise TclError("ERROR: [Common 17-170] STAND-IN: Unknown option '-json'")
        head = {"Tool Version": f"Vivado STAND-IN v.{VERSION} Build {BUILD}", "Design State": "Routed"}
        rows = [
            {"Task Name": name, "WNS(ns)": "", "Directives": ""} for name in self.done if name.endswith("_design")
        ]
        Path(options["-json"]).write_text(
            json.dumps({"Note": NOTE, "Report Information": head, "Design QoR Summary": rows})
        )


def split(line: str) -> list[str]:
    """Tcl's words of a line: bare, or in braces, which nest."""
    words, depth, word = [], 0, ""
    for letter in line.strip():
        if letter == "{":
            depth += 1
            if depth == 1:
                continue
        elif letter == "}":
            depth -= 1
            if depth == 0:
                words.append(word)
                word = ""
                continue
        if letter == " " and depth == 0:
            if word:
                words.append(word)
            word = ""
        else:
            word += letter
    return [*words, word] if word else words


def main() -> int:
    """As `vivado -mode batch -source X.tcl` is called."""
    parser = argparse.ArgumentParser(prog="vivado (STAND-IN)")
    parser.add_argument("-mode", required=True, choices=["batch"])
    parser.add_argument("-nojournal", action="store_true")
    parser.add_argument("-notrace", action="store_true")
    parser.add_argument("-log", type=Path, default=Path("vivado.log"))
    parser.add_argument("-source", type=Path, required=True)
    parser.add_argument("-tclargs", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if os.environ.get("XILINX_LOCAL_USER_DATA") != "no" or not os.access(os.environ["HOME"], os.W_OK):
        print("STAND-IN: XILINX_LOCAL_USER_DATA is not no, or HOME cannot be written", file=sys.stderr)
        return 2
    return Vivado(given.log).run(given.source.read_text())


if __name__ == "__main__":
    sys.exit(main())
