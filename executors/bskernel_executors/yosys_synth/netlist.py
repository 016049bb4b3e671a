"""Turn a synthesised netlist into a design that can be simulated like a stitched one. Pure.

Models of cells come from Yosys (share/xilinx/cells_sim.v) or, where it has none, from the folder models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from bskernel_executors.exchange.design import Design

_BLOCK_RAMS = {"RAMB18E1": 2048, "RAMB36E1": 4096, "RAMB18E2": 2048, "RAMB36E2": 4096}  # bytes without parity
_ALONE = ("DSP48E2", "URAM288")  # models that need no other module
_OWN = (*_ALONE, *_BLOCK_RAMS)
_MODULE = r"^module {name}\b.*?^endmodule\n"
_INVERTED = ("CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN", "RSTRAMARSTRAM", "RSTRAMB", "RSTREGARSTREG", "RSTREGB")
_HEAD = re.compile(r"\A/\*.*?\*/\s*", re.DOTALL)


def find_unmodelled(cells: Iterable[str], library: str) -> tuple[str, ...]:
    """Find the kinds of cells that neither `library` (cells_sim.v) nor we have a model of."""
    known = {*_OWN, *re.findall(r"^module (\w+)", library, re.MULTILINE)}
    return tuple(sorted(set(cells) - known))


def drop_head(netlist: str) -> str:
    """Leave out the comment with which Yosys begins a netlist: it names Yosys's build."""
    return _HEAD.sub("", netlist)


def select_models(cells: Iterable[str], library: str) -> str:
    """Copy Yosys's models of the cells that we have no own model of, without timing, which is not simulated."""
    notice = _HEAD.match(library)
    texts = [notice.group() if notice else ""]
    for kind in sorted(set(cells) - set(_OWN)):
        found = re.search(_MODULE.format(name=kind), library, re.DOTALL | re.MULTILINE)
        if found is not None:
            texts.append(re.sub(r"^\s*specify\b.*?\bendspecify\b", "", found.group(), flags=re.DOTALL | re.MULTILINE))
    return "\n".join(texts)


def write_block_ram(kind: str) -> str:
    """Write a block RAM primitive that wraps the module bskernel_block_ram.

    What that module does not support has no port and no parameter, so a netlist that uses it does not compile.
    """
    size = _BLOCK_RAMS[kind]
    half = size // 128  # data bits per port
    first, second = f"[{half - 1}:0]", f"[{half // 8 - 1}:0]"
    newer = kind.endswith("E2")
    names = ("DINADIN DINBDIN DINPADINP DINPBDINP" if newer else "DIADI DIBDI DIPADIP DIPBDIP").split()
    given = ("DOUTADOUT DOUTBDOUT DOUTPADOUTP DOUTPBDOUTP" if newer else "DOADO DOBDO DOPADOP DOPBDOP").split()
    bits = (8 * size).bit_length() - 1
    # The highest address bit of RAMB36E1 selects one of two cascaded block RAMs.
    address = bits if newer or size == 2048 else bits + 1
    banks = size // 32
    data = [f"INIT_{at:02X}" for at in range(banks)]
    parity = [f"INITP_{at:02X}" for at in range(banks // 8)]
    contents = [(name, 256) for name in (*data, *parity)]
    registers = [(f"{name}_{port}", 9 * half // 8) for name in ("INIT", "SRVAL") for port in "AB"]
    parameters = [f"parameter [{width - 1}:0] {name} = 0" for name, width in contents + registers]
    parameters += [f"parameter [0:0] IS_{name}_INVERTED = 0" for name in _INVERTED]
    numbers = ["DOA_REG", "DOB_REG", *(f"{way}_WIDTH_{port}" for way in ("READ", "WRITE") for port in "AB")]
    parameters += [f"parameter integer {name} = 0" for name in numbers]
    parameters += [f'parameter WRITE_MODE_{port} = "{"NO_CHANGE" if newer else "WRITE_FIRST"}"' for port in "AB"]
    extra = stop = ""
    if newer:
        extra = "\tinput ADDRENA, ADDRENB, SLEEP,\n"
        stop = f'\talways @(posedge CLKARDCLK) if (SLEEP) $fatal(1, "the model of {kind} does not support SLEEP");\n'
    else:
        parameters += ['parameter RAM_MODE = "TDP"', 'parameter SIM_DEVICE = "7SERIES"']
        if size == 4096:
            parameters += [f'parameter RAM_EXTENSION_{port} = "NONE"' for port in "AB"]
            stop = (
                '\tinitial if (RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE")\n'
                f'\t\t$fatal(1, "the model of {kind} does not support cascading");\n'
            )
    passed = [name for name, _ in registers] + numbers + ["WRITE_MODE_A", "WRITE_MODE_B"]
    settings = [
        f".BYTES({size})",
        f".HALF({half})",
        f".INIT({{{', '.join(reversed(data))}}})",
        f".INITP({{{', '.join(reversed(parity))}}})",
        *(f".{name}({name})" for name in passed),
    ]
    inverted = {name: f"{name} ^ IS_{name}_INVERTED" for name in _INVERTED}
    ports = {
        "clk_a": inverted["CLKARDCLK"], "clk_b": inverted["CLKBWRCLK"],
        "en_a": inverted["ENARDEN"], "en_b": inverted["ENBWREN"],
        "rst_a": inverted["RSTRAMARSTRAM"], "rst_b": inverted["RSTRAMB"],
        "addr_a": f"ADDRARDADDR[{bits - 1}:0]", "addr_b": f"ADDRBWRADDR[{bits - 1}:0]",
        "we_a": "WEA", "we_b": "WEBWE",
        **dict(zip(("di_a", "di_b", "dip_a", "dip_b"), names, strict=True)),
        **dict(zip(("do_a", "do_b", "dop_a", "dop_b"), given, strict=True)),
    }  # fmt: skip
    return (
        f"module {kind} #(\n\t" + ",\n\t".join(parameters) + "\n)(\n"
        f"\tinput CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,\n"
        f"\tinput RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,\n{extra}"
        f"\tinput [{address - 1}:0] ADDRARDADDR, ADDRBWRADDR,\n"
        f"\tinput {second} WEA,\n\tinput [{half // 4 - 1}:0] WEBWE,\n"
        f"\tinput {first} {names[0]}, {names[1]},\n\tinput {second} {names[2]}, {names[3]},\n"
        f"\toutput {first} {given[0]}, {given[1]},\n\toutput {second} {given[2]}, {given[3]}\n);\n{stop}"
        "\tbskernel_block_ram #(\n\t\t" + ",\n\t\t".join(settings) + "\n\t) memory (\n\t\t"
        + ",\n\t\t".join(f".{name}({signal})" for name, signal in ports.items()) + "\n\t);\nendmodule\n"
    )  # fmt: skip


def make_netlist_design(
    design: Design, netlist: str, cells: Iterable[str], library: str, own: Mapping[str, str]
) -> tuple[Design, dict[str, str]]:
    """Return the netlist's design and its files by path. `own` are the texts of the folder models by name."""
    kinds = sorted(cells)
    files = {"netlist.v": f"// {design.top}, whose layers Yosys synthesised one by one.\n{netlist}"}
    files["models/cells_sim.v"] = select_models(kinds, library)
    files |= {f"models/{kind}.sv": own[f"{kind}.sv"] for kind in kinds if kind in _ALONE}
    rams = [kind for kind in kinds if kind in _BLOCK_RAMS]
    if rams:
        files["models/block_ram.sv"] = own["block_ram.sv"]
        files["models/primitives.sv"] = "\n".join(map(write_block_ram, rams))
    # Synthesis leaves no counters of FIFOs and no monitor of streams to look at.
    return msgspec.structs.replace(design, sources=tuple(sorted(files)), fifos=(), streams=()), files
