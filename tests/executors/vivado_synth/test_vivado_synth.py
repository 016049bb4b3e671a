"""vivado-synth: its Tcl as a value, and what it makes of a run."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.causes import make_failure
from bskernel_executors.sdk.classification import FailureContext, refine
from bskernel_executors.sdk.rules_file import shared_rules
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports import describe_failure, read_log
from bskernel_executors.vivado_synth.artifacts import make_portable
from bskernel_executors.vivado_synth.parameters import ImplementationParameters, SynthesisParameters
from bskernel_executors.vivado_synth.results import (
    STAND_IN_WARNING,
    label_tool,
    read_implementation_run,
    read_synthesis_run,
)
from bskernel_executors.vivado_synth.script import (
    Script,
    make_implementation_script,
    make_synthesis_script,
    write_constraints,
)
from vivado_stand_in.install import REPORTS

PART = "xczu7ev-ffvc1156-2-e"
REAL, STAND_IN = f"Vivado 2024.2 build 5239630 {'0' * 64}", f"Vivado STAND-IN 2024.2 build 1 {'0' * 64}"


def test_synthesis_is_these_commands() -> None:
    script = make_synthesis_script(
        SynthesisParameters(part=PART, clock_ns=5.0, directive="PerformanceOptimized"),
        top="bskernel_top",
        sources=["lib/mvu_pkg.sv", "top.sv"],
        xdc="clock.xdc",
    )
    assert script.to_tcl() == (
        "set_param general.maxThreads 2\n"
        "read_verilog -sv lib/mvu_pkg.sv\n"
        "read_verilog -sv top.sv\n"
        "read_xdc -mode out_of_context clock.xdc\n"
        f"synth_design -top bskernel_top -part {PART} -mode out_of_context"
        " -directive PerformanceOptimized -flatten_hierarchy rebuilt\n"
        "write_checkpoint -force design.dcp\n"
        "report_utilization -file utilization.rpt\n"
        "report_utilization -hierarchical -format xml -file hierarchy.xml\n"
        "report_timing_summary -file timing_summary.rpt\n"
        "report_power -file power.rpt\n"
        "catch {report_design_analysis -qor_summary -json qor.json}\n"
    )


def test_implementation_is_these_commands_and_can_leave_one_out() -> None:
    given = ImplementationParameters(part=PART, clock_ns=5.0, place_directive="Explore", phys_opt_directive=None)
    script = make_implementation_script(given, checkpoint="synthesized.dcp")
    assert [command[0] for command in script.commands][:6] == [
        "set_param", "open_checkpoint", "opt_design", "place_design", "route_design", "write_checkpoint",
    ]  # fmt: skip
    assert ("place_design", "-directive", "Explore") in script.commands


def test_the_clock_is_a_period_with_its_picoseconds() -> None:
    assert write_constraints(10 / 3) == "create_clock -name ap_clk -period 3.333 [get_ports ap_clk]\n"


def test_a_word_that_tcl_would_read_is_put_in_braces_or_refused() -> None:
    assert Script(commands=(("read_verilog", "a [exec rm].sv"),)).to_tcl() == "read_verilog {a [exec rm].sv}\n"
    with pytest.raises(ValueError, match="cannot be written as a Tcl word"):
        Script(commands=(("read_verilog", "a}b"),)).to_tcl()


def lay_out_reports(folder: Path) -> Path:
    names = {
        "utilization.rpt": "2019.2_kintexusp_picorv32_utilization_placed.rpt",
        "timing_summary.rpt": "artix7_timing_summary.rpt",
        "power.rpt": "2019.1_zynq7010_redpitaya_power_routed.rpt",
    }
    for name, source in names.items():
        (folder / name).write_bytes((REPORTS / source).read_bytes())
    return folder


def test_a_result_says_what_the_reports_say_and_which_are_of_another_device(tmp_path: Path) -> None:
    found = read_implementation_run(
        lay_out_reports(tmp_path), identity=REAL, part=PART, clock_ns=5.0, layers=("MVAU_rtl_0",)
    )
    assert (found.tool, found.stand_in) == ("Vivado 2024.2 build 5239630", False)
    assert (found.design["LUT"], found.design["FF"], "BRAM" in found.design) == (999, 920, False)
    assert (found.wns_ns, found.met, found.endpoints) == (-3.463, False, 2371)
    assert (found.power_w, found.power_confidence) == (2.051, "Low")
    assert found.layers == {}
    assert f"the reports are of the device xcku3pffva676-2, not of {PART}" in found.warnings
    assert any("hierarchical" in text for text in found.warnings)
    same = read_implementation_run(tmp_path, identity=REAL, part="xcku3p-ffva676-2-e", clock_ns=5.0, layers=())
    assert not any("device" in text for text in same.warnings)


def test_reports_that_are_missing_give_absent_values(tmp_path: Path) -> None:
    found = read_synthesis_run(tmp_path, identity=REAL, part=PART, clock_ns=5.0, layers=(), differences=())
    assert (found.design, found.wns_ns, found.met, found.power_w) == ({}, None, None, None)
    assert "no timing summary was found in the report" in found.warnings


def test_the_stand_in_is_known_by_its_version_and_by_its_reports(tmp_path: Path) -> None:
    assert label_tool(STAND_IN) == ("STAND-IN for Vivado 2024.2 build 1", True)
    lay_out_reports(tmp_path)
    path = tmp_path / "utilization.rpt"
    path.write_text(path.read_text().replace("Vivado v.", "Vivado STAND-IN v."))
    found = read_synthesis_run(tmp_path, identity=REAL, part=PART, clock_ns=5.0, layers=(), differences=())
    assert found.stand_in
    assert STAND_IN_WARNING in found.warnings


@pytest.mark.parametrize(
    ("code", "text", "category"),
    [
        (-11, "", "crash"),
        (-9, "", "out_of_memory"),
        (137, "", "out_of_memory"),
        (1, "", "synthesis"),
        (1, "ERROR: [Fresh 1-1] new", "synthesis"),
        (-11, "ERROR: [Fresh 1-1] new", "crash"),
        (1, "ERROR: [Place 30-640] too many LUTs", "resource"),
    ],
)
def test_an_exit_code_tells_what_the_log_does_not(code: int, text: str, category: str) -> None:
    about = FailureContext(step="synthesize", default_category="synthesis")
    raised = make_failure(describe_failure(code, read_log(text), "Vivado"), about, shared_rules())
    failure = refine(raised, about, text.splitlines(), shared_rules())
    assert failure.category == category
    assert failure.cause == tuple(text.splitlines())
    assert text.removeprefix("ERROR: ") in failure.message


def test_texts_lose_paths_dates_and_the_machine() -> None:
    text = "| Date         : Tue\n| Host         : lab-7\n| Design       : top\nread /w/steps/3/work/vivado/top.sv\n"
    assert make_portable(text, {"/w/steps/3/work": "<work>", "/w": "<no>"}) == (
        "| Date         : ...\n| Host         : ...\n| Design       : top\nread <work>/vivado/top.sv\n"
    )


def test_libudev_is_loaded_first_where_there_is_one(tmp_path: Path) -> None:
    library = tmp_path / "libudev.so.1"
    assert preload_libudev(("/nowhere", str(library))) == {}
    library.touch()
    assert preload_libudev(("/nowhere", str(library))) == {"LD_PRELOAD": str(library)}
