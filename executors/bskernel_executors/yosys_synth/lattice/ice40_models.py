"""Models of the cells of iCE40 netlists. Pure.

They are Yosys' own (share/ice40/cells_sim.v). Of a routed netlist, the logic cell is a file of the folder models, and
the multiplier, which has a pin for each bit, is a module made here around Yosys' with vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bskernel_executors.sdk import StepFailure
from bskernel_executors.yosys_synth import netlist

LOGIC_CELL = "ice40_logic_cell.sv"
_TIMESCALE = re.compile(r"^`timescale.*\n", re.MULTILINE)
_OWN = {"ICESTORM_LC", "ICESTORM_DSP"}
# Models that others instantiate, or that routed cells are written as.
_WITHIN = {"ICESTORM_RAM": "SB_RAM40_4K", "ICESTORM_DSP": "SB_MAC16", "SB_IO": "SB_GB"}
_VECTORS = {"A": 16, "B": 16, "C": 16, "D": 16, "O": 32}  # of SB_MAC16; O is its output
_OUTPUTS = ("CO", "ACCUMCO", "SIGNEXTOUT")
_SCALARS = (
    "CLK", "CE", "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP",
    "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"
)  # fmt: skip
_PARAMETER = re.compile(r"^\tparameter (\[\d+:0\] (\w+) = 0);", re.MULTILINE)
# Yosys' models read a pin that is not connected as high impedance; here all pins are connected.
_FLOATING = re.compile(r"(\w+) = \(x === 1'bz\) \? 1'b[01] : x;")
_HIGH = ("CE", "CEN", "RCLKE", "WCLKE")  # pins that are 1 without a net
_INPUT_PIN, _OUTPUT_PIN = "000001", "011001"  # of SB_IO's PIN_TYPE: no register, no third state


def is_ice40(cells: Iterable[str]) -> bool:
    """Return whether these kinds of cells are of an iCE40."""
    return any(kind.startswith(("SB_", "ICESTORM_")) for kind in cells)


def find_unmodelled(cells: Iterable[str], library: str) -> tuple[str, ...]:
    """Find the kinds of cells that `library` (cells_sim.v) has no model of."""
    return tuple(sorted(set(cells) - _OWN - set(re.findall(r"^module (\w+)", library, re.MULTILINE))))


def write_multiplier(library: str) -> str:
    """Write the module ICESTORM_DSP around SB_MAC16 of `library`, with its parameters."""
    body = library.partition("\nmodule SB_MAC16 ")[2].partition("\nendmodule")[0]
    parameters = _PARAMETER.findall(body)
    bits = {name: [f"{name}_{at}" for at in reversed(range(width))] for name, width in _VECTORS.items()}
    inputs = [*_SCALARS, *(pin for name in "ABCD" for pin in bits[name])]
    connected = [f".{name}({{{', '.join(pins)}}})" for name, pins in bits.items()]
    connected += [f".{pin}({pin})" for pin in (*_SCALARS, *_OUTPUTS)]
    return (
        "module ICESTORM_DSP #(\n\t" + ",\n\t".join(f"parameter {text}" for text, _ in parameters) + "\n)(\n"
        f"\tinput {', '.join(inputs)},\n\toutput {', '.join((*bits['O'], *_OUTPUTS))}\n);\n"
        f"\tSB_MAC16 #({', '.join(f'.{name}({name})' for _, name in parameters)}) multiplier (\n\t\t"
        + ",\n\t\t".join(connected) + "\n\t);\nendmodule\n"
    )  # fmt: skip


def select_models(cells: Iterable[str], library: str, own: Mapping[str, str]) -> dict[str, str]:
    """Return the files, by path, that model these kinds of cells. `own` are the texts of the folder models."""
    kinds = set(cells)
    head = _TIMESCALE.sub("", library[: library.index("\nmodule ") + 1])
    needed = (kinds - _OWN) | {within for kind, within in _WITHIN.items() if kind in kinds}
    text = _FLOATING.sub(r"\1 = x;", netlist.select_models(needed, library))
    files = {"models/cells_sim.v": head + text}
    if "ICESTORM_LC" in kinds:
        files[f"models/{LOGIC_CELL}"] = own[LOGIC_CELL]
    if "ICESTORM_DSP" in kinds:
        files["models/ICESTORM_DSP.sv"] = write_multiplier(library)
    return files


def connect_routed(
    kind: str, parameters: Mapping[str, str | int], pins: Mapping[str, tuple[bool, str | None]]
) -> tuple[str, dict[str, str | int], list[tuple[str, str]]]:
    """Return kind, parameters and pins of a cell that nextpnr-ice40 wrote, in the models' terms.

    `pins` are by name: whether it is an output, and its net. Raises StepFailure for a pin of the package of another
    type than a plain input or output.
    """
    if kind == "SB_IO":
        pin_type = str(parameters["PIN_TYPE"])[-6:]
        if pin_type not in (_INPUT_PIN, _OUTPUT_PIN):
            raise StepFailure(message=f"a pin of type {pin_type} cannot be simulated")
        source, sink = ("PACKAGE_PIN", "D_IN_0") if pin_type == _INPUT_PIN else ("D_OUT_0", "PACKAGE_PIN")
        ends = {"USER_SIGNAL_TO_GLOBAL_BUFFER": pins[source][1] or "1'b0", "GLOBAL_BUFFER_OUTPUT": pins[sink][1]}
        return "SB_GB", {}, [(pin, net) for pin, net in ends.items() if net is not None]
    connected = [
        (pin, net or ("1'b1" if pin in _HIGH else "1'b0"))
        for pin, (is_output, net) in pins.items()
        if net is not None or not is_output
    ]
    return kind, dict(parameters), connected
