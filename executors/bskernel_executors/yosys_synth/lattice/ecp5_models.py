"""Models of the cells of ECP5 netlists, as files beside a netlist. Pure.

Cells with a pin for each bit are modules made here, around models with vectors (folder models).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_FABRIC, _RAM, _MULTIPLIER = "ecp5_fabric.sv", "ecp5_block_ram.sv", "ecp5_multiplier.sv"
_WRAPPED = ("DP16KD", "MULT18X18D")
_MODULE = re.compile(r"^module (\w+)", re.MULTILINE)
_FIXED_RAM = {
    "REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "CSDECODE_A": "0b000", "CSDECODE_B": "0b000", "INIT_DATA": "STATIC"
}  # fmt: skip
_FIXED_MULTIPLIER = {
    "REG_INPUTA_CLK": "NONE", "REG_INPUTB_CLK": "NONE", "REG_INPUTC_CLK": "NONE", "REG_PIPELINE_CLK": "NONE",
    "REG_OUTPUT_CLK": "NONE", "MULT_BYPASS": "DISABLED",
}  # fmt: skip
# What these say concerns registers that are not in use, or the reset at power-up.
_IGNORED_RAM = {"ASYNC_RESET_RELEASE": "SYNC", "GSR": "ENABLED", "WID": "0"}
_IGNORED_MULTIPLIER = {
    **{
        f"REG_{register}_{pin}": f"{pin}0"
        for register in ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")
        for pin in ("CE", "RST")
    },
    **{f"CLK{at}_DIV": "ENABLED" for at in range(4)},
    "HIGHSPEED_CLK": "NONE",
    "GSR": "ENABLED",
    "CAS_MATCH_REG": "FALSE",
    "SOURCEB_MODE": "B_SHIFT",
    "RESETMODE": "SYNC",
}


def _bits(name: str, width: int) -> str:
    """The pins of a vector, the highest bit first."""
    return ", ".join(f"{name}{at}" for at in reversed(range(width)))


def _texts(values: Mapping[str, str]) -> str:
    return ", ".join(f'{name} = "{value}"' for name, value in values.items())


def _stop_unless(kind: str, fixed: Mapping[str, str]) -> str:
    """A statement that stops the simulation if a parameter has a value that the model lacks."""
    return "".join(
        f'\tinitial if ({name} != "{value}") $fatal(1, "the model of {kind} has no {name}=%s", {name});\n'
        for name, value in fixed.items()
    )


def write_block_ram() -> str:
    """Write the module DP16KD."""
    contents = [f"INITVAL_{at:02X}" for at in range(64)]
    pins = "".join(
        f"\tinput {_bits(f'DI{port}', 18)},\n\tinput {_bits(f'AD{port}', 14)},\n"
        f"\tinput CE{port}, OCE{port}, CLK{port}, WE{port}, RST{port}, CS{port}2, CS{port}1, CS{port}0,\n"
        f"\toutput {_bits(f'DO{port}', 18)}{',' if port == 'A' else ''}\n"
        for port in "AB"
    )
    connected = "".join(
        f'\t\t.clk_{low}(CLK{port} ^ (CLK{port}MUX == "INV")), .ce_{low}(CE{port}), .we_{low}(WE{port}),\n'
        f"\t\t.rst_{low}(RST{port}), .ad_{low}({{{_bits(f'AD{port}', 14)}}}),\n"
        f"\t\t.di_{low}({{{_bits(f'DI{port}', 18)}}}),\n"
        f"\t\t.do_{low}({{{_bits(f'DO{port}', 18)}}}){',' if port == 'A' else ''}\n"
        for port, low in (("A", "a"), ("B", "b"))
    )
    return f"""module DP16KD #(
	parameter integer DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
	parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", RESETMODE = "SYNC", CLKAMUX = "CLKA", CLKBMUX = "CLKB",
	parameter {_texts(_FIXED_RAM)},
	parameter {_texts(_IGNORED_RAM)},
	parameter [319:0] {", ".join(f"{name} = 0" for name in contents)}
)(
{pins});
{_stop_unless("DP16KD", _FIXED_RAM)}\
	always_comb if (CSA2 || CSA1 || CSA0 || CSB2 || CSB1 || CSB0)
		$fatal(1, "the model of DP16KD has no CS other than 0");
	bskernel_ecp5_block_ram #(
		.WIDTH_A(DATA_WIDTH_A), .WIDTH_B(DATA_WIDTH_B), .WRITEMODE_A(WRITEMODE_A), .WRITEMODE_B(WRITEMODE_B),
		.RESETMODE(RESETMODE), .INIT({{{", ".join(reversed(contents))}}})
	) memory (
{connected}\t);
endmodule
"""


def write_multiplier() -> str:
    """Write the module MULT18X18D. Its cascade outputs are low: nothing that the model allows takes them."""
    inputs = [_bits(name, 18) for name in "ABC"] + [
        "SIGNEDA, SIGNEDB, SOURCEA, SOURCEB",
        *(_bits(name, 4) for name in ("CLK", "CE", "RST")),
        *(_bits(name, 18) for name in ("SRIA", "SRIB")),
    ]
    low = [_bits(name, 18) for name in ("SROA", "SROB", "ROA", "ROB", "ROC")]
    pins = ",\n\t".join([*(f"input {names}" for names in inputs), *(f"output {names}" for names in low)])
    return f"""module MULT18X18D #(
	parameter {_texts(_FIXED_MULTIPLIER)},
	parameter {_texts(_IGNORED_MULTIPLIER)}
)(
	{pins},
	output {_bits("P", 36)},
	output SIGNEDP
);
{_stop_unless("MULT18X18D", _FIXED_MULTIPLIER)}\
	always_comb if (SOURCEA || SOURCEB) $fatal(1, "the model of MULT18X18D takes no operand from a neighbour");
	bskernel_ecp5_multiplier product (
		.a({{{_bits("A", 18)}}}), .b({{{_bits("B", 18)}}}),
		.signed_a(SIGNEDA), .signed_b(SIGNEDB), .p({{{_bits("P", 36)}}})
	);
	assign SIGNEDP = SIGNEDA || SIGNEDB;
	assign {{{", ".join(low)}}} = 90'd0;
endmodule
"""


def find_unmodelled(cells: Iterable[str], own: Mapping[str, str]) -> tuple[str, ...]:
    """Find the kinds of cells that we have no model of. `own` are the texts of the folder models by name."""
    return tuple(sorted(set(cells) - {*_MODULE.findall(own[_FABRIC]), *_WRAPPED}))


def select_models(cells: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """Return the files, by path, that model these kinds of cells."""
    kinds = set(cells)
    files = {f"models/{_FABRIC}": own[_FABRIC]}
    if "DP16KD" in kinds:
        files |= {f"models/{_RAM}": own[_RAM], "models/DP16KD.sv": write_block_ram()}
    if "MULT18X18D" in kinds:
        files |= {f"models/{_MULTIPLIER}": own[_MULTIPLIER], "models/MULT18X18D.sv": write_multiplier()}
    return files
