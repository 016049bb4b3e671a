"""A design that another project takes: it is simulated and packaged with the files of its folder alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bskernel.images import find_recipes
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT
from vivado_stand_in.install import make_install

DIGITS = ROOT / "examples" / "digits"
pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def built(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example's design."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler: install g++, as .ci/run does")
    output = tmp_path_factory.mktemp("built")
    result = build(workspace, DIGITS / "rtl.toml", output)
    assert result.status == "ok", result.failure
    return output / "artifacts" / "ip"


@pytest.fixture
def ip(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "ip"))


@pytest.fixture(scope="module")
def compiled(built: Path, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The testbench, compiled as the folder's README.md says, by the Verilator of the rtl-sim executor."""
    copy = Path(shutil.copytree(built, tmp_path_factory.mktemp("compiled") / "ip"))
    recipe = next(recipe for recipe in find_recipes(ROOT) if recipe.file.executor == "rtl-sim")
    (verilator,) = (environments / "envs" / recipe.environment_digest).glob("lib/python3*/site-packages/verilator")
    readme = (copy / "README.md").read_text()
    command = readme.partition("    verilator ")[2].partition("\n    ../obj")[0].replace("\\\n", "").split()
    # This Verilator was configured for another compiler.
    own = ["-CFLAGS", "-fcoroutines -O0", "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include CXX=g++ LINK=g++"]
    done = subprocess.run(
        [str(verilator / "bin" / "verilator_bin"), *command, *own],
        cwd=copy / "rtl",
        env=os.environ | {"VERILATOR_ROOT": str(verilator)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return copy / "obj" / "Vtestbench"


def simulate(testbench: Path, ip: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of the testbench in a folder."""
    done = subprocess.run([str(testbench), *options], cwd=ip / "rtl", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("+stall=60",)])
def test_its_testbench_passes(compiled: Path, ip: Path, options: tuple[str, ...]) -> None:
    code, said = simulate(compiled, ip, *options)
    assert (code, "PASS: 32 frames" in said) == (0, True), said


def test_its_testbench_names_the_beat_that_is_wrong(compiled: Path, ip: Path) -> None:
    expected = ip / "testbench" / "outputs.hex"
    lines = expected.read_text().splitlines()
    lines[57] = f"{int(lines[57], 16) ^ 1:0{len(lines[57])}x}"
    expected.write_text("\n".join(lines))
    code, said = simulate(compiled, ip)
    assert code != 0
    assert "frame 5, beat 7: " in said
    assert "FAIL: 1 of 320 beats differ" in said


def test_its_testbench_fails_when_a_memory_is_another_one(compiled: Path, ip: Path) -> None:
    memory = ip / "rtl" / "MVAU_rtl_1_memblock.dat"
    memory.write_text(memory.read_text().replace("1", "2"))
    code, said = simulate(compiled, ip)
    assert (code != 0, "FAIL" in said) == (True, True)


def test_its_script_packages_an_ip_with_all_sources_and_memories(ip: Path, tmp_path: Path) -> None:
    # Only a STAND-IN for Vivado: it looks at the script, the files, the module's ports, and no Verilog.
    install = make_install(tmp_path / "Xilinx")
    environment = os.environ | {"XILINX_LOCAL_USER_DATA": "no", "XILINX_VIVADO": str(install), "HOME": str(tmp_path)}
    command = [str(install / "bin" / "vivado"), "-mode", "batch", "-source", str(ip / "package_ip.tcl")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    component = (ip / "ip" / "component.xml").read_text()
    assert all(name in component for name in ("s_axis", "m_axis", "ap_clk", "ap_rst_n"))
    taken = {path.name for path in (ip / "ip" / "src").iterdir()}
    assert taken == {path.name for path in (ip / "rtl").iterdir()} - {"files.f"}
    assert "MVAU_rtl_0_memblock.dat" in taken


def test_the_constraint_is_the_build_s_clock(ip: Path) -> None:
    assert "-period 5.000 [get_ports ap_clk]" in (ip / "constraints.xdc").read_text()
