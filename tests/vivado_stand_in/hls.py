"""The STAND-IN for Vitis HLS: checks the script, writes an IP with the interfaces that the pragmas say."""

import os
import re
import sys
from pathlib import Path

from vivado_stand_in.catalog import Shape, component
from vivado_stand_in.session import BEHAVIOUR, Session, Spec
from vivado_stand_in.tcl import TclError

_PRAGMA = re.compile(
    r"#pragma HLS INTERFACE (axis|m_axi|s_axilite) (?:.*?)port\s*=\s*(\w+)(?:.*?bundle\s*=\s*(\w+))?"
)


class Hls:
    """The project that is open."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.project, self.solution, self.top, self.source = Path(), Path(), "", ""
        add = session.add
        add("open_project", Spec(), self.open_project)
        add("add_files", Spec({"-cflags": True, "-tb": False}, "open_project"), self.add_files)
        add("set_top", Spec({}, "open_project"), self.set_top)
        add("open_solution", Spec({}, "open_project"), self.open_solution)
        add("set_part", Spec({}, "open_solution"))
        add("set_param", Spec())
        compile_options = {"-disable_unroll_code_size_check": False, "-pipeline_style": True}
        add("config_compile", Spec(compile_options, "open_solution"))
        add("config_interface", Spec({"-m_axi_addr64": False}, "open_solution"))
        add("config_rtl", Spec({"-module_auto_prefix": False, "-deadlock_detection": True}, "open_solution"))
        add("create_clock", Spec({"-period": True, "-name": True}, "open_solution"))
        add("csynth_design", Spec({}, "create_clock"), self.csynth_design)
        add("export_design", Spec({"-format": True}, "csynth_design"), self.export_design)

    def open_project(self, _: dict[str, str], values: list[str]) -> None:
        self.project = Path(values[0]).absolute()
        self.project.mkdir(exist_ok=True)

    def add_files(self, options: dict[str, str], values: list[str]) -> None:
        path = Path(values[0])
        if not path.is_file():
            raise TclError(f"ERROR: [HLS 200-642] STAND-IN: The source file '{path}' does not exist")
        self.source = path.read_text()
        folders = [Path(flag[2:]) for flag in options.get("-cflags", "").split() if flag.startswith("-I")]
        for name in re.findall(r'#include "([^"]+)"', self.source):
            if not any((folder / name).is_file() for folder in (path.parent, *folders)):
                self.session.message("ERROR", "HLS 207-5575", f"'{name}' file not found [{path.name}:1]")
                raise TclError("ERROR: [HLS 200-1715] STAND-IN: Encountered problem during source synthesis")

    def set_top(self, _: dict[str, str], values: list[str]) -> None:
        if not re.search(rf"\bvoid {re.escape(values[0])}\s*\(", self.source):
            raise TclError(f"ERROR: [HLS 200-101] STAND-IN: cannot find the top function '{values[0]}'")
        self.top = values[0]

    def open_solution(self, _: dict[str, str], values: list[str]) -> None:
        self.solution = self.project / values[0]

    def csynth_design(self, _: dict[str, str], __: list[str]) -> None:
        if BEHAVIOUR == "licence":
            self.session.fail("Common 17-345", "A valid license was not found for feature 'HLS' and/or device 'xc'")
        refused = BEHAVIOUR.removeprefix("refuse ")
        if refused != BEHAVIOUR and refused in self.source:
            self.session.message("ERROR", "HLS 200-70", f"Failed to synthesise what contains '{refused}'")
            raise TclError("ERROR: [HLS 200-1715] STAND-IN: Encountered problem during source synthesis")
        # What Vitis HLS keeps for itself, in databases of its own that name the project's path.
        database = self.solution / ".autopilot" / "db"
        database.mkdir(parents=True)
        (database / "a.o.bc").write_bytes(b"\0STAND-IN " + str(self.solution).encode())
        (self.solution / "sol1.log").write_text(f"STAND-IN: synthesised in {self.solution}\n")
        report = self.solution / "syn" / "report"
        report.mkdir(parents=True)
        counts = "".join(f"<{name}>7</{name}>" for name in ("BRAM_18K", "DSP", "FF", "LUT", "URAM"))
        (report / f"{self.top}_csynth.xml").write_text(
            f"<profile><AreaEstimates><Resources>{counts}</Resources></AreaEstimates></profile>\n"
        )

    def export_design(self, options: dict[str, str], _: list[str]) -> None:
        if options["-format"] != "ip_catalog":
            raise TclError(f"ERROR: [HLS 200-101] STAND-IN: format {options['-format']}")
        shape = Shape({"ap_clk", "ap_rst_n"}, {})
        assert shape.interfaces is not None
        for kind, port, bundle in _PRAGMA.findall(self.source):
            if kind == "axis":
                shape.interfaces[port] = "Slave" if port.startswith("in") else "Master"
            elif kind == "m_axi":
                shape.interfaces[f"m_axi_{bundle or 'gmem'}"] = "Master"
            else:
                shape.interfaces[f"s_axi_{bundle}"] = "AXI4LITE"
        folder = self.solution / "impl" / "ip"
        # Modules below the top one have its name first (-module_auto_prefix); files of memories are beside them.
        inner, memory = f"{self.top}_inner", f"{self.top}_inner_ROM.dat"
        files = {
            f"{self.top}.v": f"// STAND-IN: computes nothing\nmodule {self.top} (input ap_clk, input ap_rst_n);\n"
            f"{inner} inner_U0 (.ap_clk(ap_clk));\nendmodule\n",
            f"{inner}.v": f"// STAND-IN: computes nothing\nmodule {inner} (input ap_clk);\nreg [3:0] rom[0:0];\n"
            f'initial $readmemh("./{memory}", rom);\nendmodule\n',
            memory: "0\n",
        }
        for place in (folder / "hdl" / "verilog", self.solution / "impl" / "verilog"):
            place.mkdir(parents=True)
            for name, text in files.items():
                (place / name).write_text(text)
        vlnv = f"xilinx.com:hls:{self.top}:1.0"
        (folder / "component.xml").write_text(component(vlnv, shape, [f"hdl/verilog/{name}" for name in files]))


def main() -> int:
    """As `vitis_hls X.tcl` and `vitis-run --mode hls --tcl X.tcl` are called."""
    script = Path(sys.argv[-1])
    if len(sys.argv) != 2 and sys.argv[1:4] != ["--mode", "hls", "--tcl"]:
        print(f"STAND-IN: not how Vitis HLS is called: {sys.argv[1:]}", file=sys.stderr)
        return 2
    os.environ.setdefault("XILINX_VIVADO", "none")
    session = Session(Path("vitis_hls.log"), "Vitis HLS")
    Hls(session)
    return session.run(script.read_text())


if __name__ == "__main__":
    sys.exit(main())
