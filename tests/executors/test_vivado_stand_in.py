"""The stand-in for Vivado refuses what Vivado would, as far as it looks: a flow that it takes shows nothing else."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vivado_stand_in.install import make_dependencies, make_install
from vivado_stand_in.tcl import Tcl, TclError, join, split
from vivado_stand_in.tcl_commands import Core
from vivado_stand_in.tcl_expr import evaluate

PROJECT = "create_project it ./it -part xc7z020clg400-1\n"
DESIGN = PROJECT + 'create_bd_design "top"\n'
LAYER = "module layer(input ap_clk, input [7:0] in0_V_TDATA, output [7:0] out0_V_TDATA);\nendmodule\n"
CELL = DESIGN + "add_files layer.v\ncreate_bd_cell -type module -reference layer a\n"

PACKAGE = "ipx::package_project -root_dir ip -vendor a -library b -taxonomy /c -import_files\n"
PACKAGED = PROJECT + "add_files layer.v\nset_property top layer [current_fileset]\n" + PACKAGE
PACKAGED += "set core [ipx::current_core]\n"


def vivado(folder: Path, script: str) -> tuple[int, str]:
    """Exit code and log of a script."""
    install = make_install(folder / "Xilinx")
    (folder / "layer.v").write_text(LAYER)
    (folder / "it.tcl").write_text(script)
    environment = os.environ | {"XILINX_LOCAL_USER_DATA": "no", "XILINX_VIVADO": str(install), "HOME": str(folder)}
    command = [str(install / "bin" / "vivado"), "-mode", "batch", "-source", "it.tcl"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, (folder / "vivado.log").read_text()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("make_it_so", 'invalid command name "make_it_so"'),
        ("puts $nowhere", 'can\'t read "nowhere": no such variable'),
        ("if {1} {", "missing close-brace"),
        ("puts [expr 1 +", "missing close-bracket"),
        (PROJECT + "create_bd_design top -fast", "Unknown option '-fast'"),
        (PROJECT + "add_files nowhere.v", "does not exist"),
        ("create_project it . -part zynq", "Specified part could not be found"),
        ("open_project it.xpr", "Can't find specified project"),
        ("get_bd_cells a", "No open design"),
        (PROJECT + "set_property top x [get_runs synth_9]", "Invalid option value ''"),
        (PROJECT + "set_property board_part a:nowhere:part0:1.0 [current_project]", "Board 49-71"),
        (DESIGN + "create_bd_cell -type ip -vlnv xilinx_finn:finn:nothing:1.0 a", "BD 5-390"),
        (DESIGN + "create_bd_cell -type module -reference nothing a", "Unable to find the reference file"),
        (CELL + "connect_bd_net [get_bd_pins a/ap_clk] [get_bd_pins a/ap_clk9]", "cannot be empty"),
        (CELL + "validate_bd_design", "the stream /a/in0_V is fed by nothing"),
        (CELL + "create_bd_cell -type module -reference layer a", "exists already"),
        (
            CELL + "make_bd_intf_pins_external [get_bd_intf_pins a/in0_V]\n" * 2,
            "is connected to a port already",
        ),
        (PROJECT + "launch_runs synth_1", "the project has no top"),
        (PROJECT + "open_run synth_1", "is not complete"),
        (DESIGN + "ipx::package_project -root_dir ip -module other", "before make_wrapper"),
        (PROJECT + "set_property top other [current_fileset]\n" + PACKAGE, "no source has the top module 'other'"),
        (PACKAGED + "ipx::associate_bus_interfaces -busif s_axis -clock ap_clk $core", "no bus interface 's_axis'"),
        (PACKAGED + "ipx::associate_bus_interfaces -busif in0_V -clock clock $core", "no clock 'clock'"),
    ],
)
def test_it_refuses(tmp_path: Path, script: str, said: str) -> None:
    code, log = vivado(tmp_path, script)
    assert (code, said in log) == (1, True), log


def test_it_takes_a_design_that_is_whole_and_a_board_that_is_there(tmp_path: Path) -> None:
    deps = make_dependencies(tmp_path / "deps")
    script = f"""
set_param board.repoPaths {{{deps}/board_files}}
{CELL}
set_property board_part www.digilentinc.com:pynq-z1:part0:1.0 [current_project]
make_bd_intf_pins_external [get_bd_intf_pins a/in0_V]
set_property name s_axis_0 [get_bd_intf_ports in0_V_0]
validate_bd_design
"""
    assert vivado(tmp_path, script)[0] == 0


def test_every_file_of_it_says_that_it_is_a_stand_in(tmp_path: Path) -> None:
    _, log = vivado(tmp_path, CELL + "save_bd_design\nmake_wrapper -files [get_files top.bd] -top\n")
    assert "Vivado STAND-IN v2024.2" in log
    made = [path for path in (tmp_path / "it").rglob("*") if path.is_file()]
    assert {path.suffix for path in made} == {".xpr", ".bd", ".v", ".hwh", ".wdf"}
    assert all(b"STAND-IN" in path.read_bytes() for path in made)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2**6", "64"),
        ("64 < 4096 ? 4096 : 64", "4096"),
        ("(0x40000000 + (4096-1)) & ~(4096-1)", "1073741824"),
        ('"zynq" == "zynq" && 1 != 2', "1"),
        ("0 && [nothing]", "0"),
        ("min(3, 2) + 7 / 2", "5"),
        ("{a} eq {b}", "0"),
    ],
)
def test_expressions_are_tcl_s(text: str, value: str) -> None:
    assert evaluate(Tcl(), text) == value


@given(st.lists(st.text(alphabet='ab {}"[]$;\n\\')))
def test_a_list_is_read_as_it_was_written_or_its_braces_do_not_match(elements: list[str]) -> None:
    # Like Tcl, it could write with backslashes what braces cannot hold; no script of FINN's needs it.
    if all(item.count("{") == item.count("}") == 0 and "\\" not in item for item in elements):
        assert split(join(elements)) == elements


def test_procedures_loops_and_lists_are_tcl_s() -> None:
    said: list[str] = []
    interpreter = Tcl()
    Core(interpreter, said.append)
    interpreter.evaluate("""
set base 10
proc next {step} {
    global base
    set base [expr $base + $step]
    return $base
}
foreach {a b} [list 1 2 3 4] { lappend sums [next [expr {$a + $b}]] }   ; # words of one line
while {[llength $sums] < 4} { lappend sums "it's [lindex $sums 0]" }
if {[lsearch $sums 20] >= 0} { puts found } elseif {1} { puts "$sums" } else { puts never }
puts [format "S%02d_AXI" 7]
puts [string match {*<a>*} {x<a>y}]
catch { next } problem
puts $problem
""")
    assert said == ["found", "S07_AXI", "1", 'wrong # args: should be "next step"']
    with pytest.raises(TclError, match="close-brace"):
        interpreter.evaluate("puts {a}b")
