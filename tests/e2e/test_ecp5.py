"""The flow ecp5: a network on Lattice's ECP5, routed with a clock and packed to a bitstream."""

import json
import re
import shutil
from pathlib import Path

import pytest
from bskernel.flow.selection import RangeRequest
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build, build_text
from support.paths import ROOT

EXAMPLE = ROOT / "examples" / "digits" / "ecp5.toml"
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does"),
]


def artifacts(result: BuildResult) -> Path:
    return Path(result.directory) / "artifacts"


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def digits(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return build(workspace, EXAMPLE, tmp_path_factory.mktemp("ecp5"), "build.flow=ecp5-checked")


def test_digits_become_a_bitstream_that_meets_its_clock(digits: BuildResult) -> None:
    assert digits.status == "ok", digits.failure
    routed = json.loads((artifacts(digits) / "implementation.json").read_text())
    assert routed["met"]
    assert routed["fmax_mhz"] >= 150  # at the default settings
    assert routed["critical_path"]["layers"]
    assert (artifacts(digits) / "bitstream.bit").stat().st_size > 100_000
    text = describe_result(digits)
    assert re.search(r"quantity +unit +estimate +rtlsim +synth +routed +of the device", text)
    assert "its estimates are those for xczu7ev-ffvc1156-2-e" in text


def test_numbers_of_the_routed_design_are_the_simulation_s_cycles_at_the_highest_clock(digits: BuildResult) -> None:
    metrics, routed, simulated = (
        json.loads((artifacts(digits) / f"{name}.json").read_text())
        for name in ("metrics", "implementation", "simulation")
    )
    (throughput,) = (value for value in metrics["throughput"] if value["stage"] == "routed")
    assert throughput["value"] == pytest.approx(1e6 * routed["fmax_mhz"] / simulated["cycles_per_frame"])
    assert "nextpnr" in throughput["source"]
    # Shares are of the ECP5, which has no UltraRAM.
    assert metrics["device"] == {"LUT": 83_640, "FF": 83_640, "BRAM_36K": 104, "URAM": 0, "DSP": 156}


def test_both_netlists_give_python_s_outputs_in_the_rtl_s_cycles(digits: BuildResult) -> None:
    checks = [json.loads((artifacts(digits) / f"{name}_check.json").read_text()) for name in ("netlist", "routed")]
    simulated = json.loads((artifacts(digits) / "simulation.json").read_text())
    assert (checks[0]["frames"], checks[0]["mismatches"], checks[0]["total_cycles"]) == (
        450, 0, simulated["total_cycles"]
    )  # fmt: skip
    assert checks[0] == checks[1]
    text = describe_result(digits)
    assert re.search(r"routed netlist +equals the RTL in 450 of 450 frames", text)


def test_a_routed_netlist_that_differs_is_caught_and_not_packed(
    workspace: Workspace, tmp_path: Path, digits: BuildResult
) -> None:
    source = artifacts(digits)
    routed = (source / "routed_netlist.json").read_text()
    found = re.search(r'"INITVAL": "(?=[01]*1)([01]{16})"', routed)
    assert found is not None
    inverted = "".join("10"[int(bit)] for bit in found.group(1))
    (tmp_path / "routed.json").write_text(routed[: found.start(1)] + inverted + routed[found.end(1) :])
    result = build_text(
        workspace,
        tmp_path,
        f'[build]\nmodel = "{EXAMPLE.parent / "digits_w4a4.onnx"}"\n'
        '[target]\npart = "LFE5U-85F-6BG381C"\n'
        '[[step]]\nentry = "yosys-synth:model_routed_netlist"\n'
        f'inputs = {{ rtl = "{source / "rtl"}", routed_netlist = "routed.json" }}\n'
        '[[step]]\nentry = "rtl-sim:compile_library"\n'
        '[[step]]\nentry = "rtl-sim:compile"\n'
        'inputs = { rtl = "model_routed_netlist.netlist" }\n'
        '[[step]]\nentry = "rtl-sim:check_routed"\n'
        f'inputs = {{ reference = "{source / "reference"}", simulation = "{source / "simulation.json"}" }}\n'
        '[[step]]\nentry = "nextpnr-route:pack"\n'
        f'inputs = {{ routed_config = "{source / "routed_config"}", '
        f'implementation = "{source / "implementation.json"}" }}\n',
    )
    assert result.failure is not None
    assert result.failure.category == "verification"
    assert [step.name for step in result.steps if step.status == "failed"] == ["check_routed"]
    assert not (artifacts(result) / "bitstream.bit").exists()


def test_a_design_that_misses_its_clock_is_a_result_and_is_not_packed(workspace: Workspace, tmp_path: Path) -> None:
    # The clock is routing's own, so that all steps before it are recalled.
    settings = ("step.route.parameters.clock_ns=2.0", "step.route.parameters.seeds=1")
    result = build(workspace, EXAMPLE, tmp_path, *settings)
    assert result.failure is not None
    assert result.failure.category == "timing"
    assert "500 MHz, so it is not packed" in result.failure.message
    text = describe_result(result)
    assert "timing NOT met" in text
    assert re.search(r"throughput .*routed|quantity .*routed", text)


def test_a_range_may_end_at_the_routed_design(workspace: Workspace, tmp_path: Path, digits: BuildResult) -> None:
    result = build(workspace, EXAMPLE, tmp_path, range_request=RangeRequest(output_type="routed"))
    assert (result.status, result.steps[-1].name) == ("ok", "metrics")
    assert (artifacts(result) / "metrics.json").read_bytes() == (artifacts(digits) / "metrics.json").read_bytes()
    assert not (artifacts(result) / "bitstream.bit").exists()


# What flow ecp5 does with a stitched design; that this is the same in containers is seen in tests/e2e/test_rtl.py.
FROM_RTL = """
[build]
model = "{model}"
[target]
part = "LFE5U-85F-6BG381C"
clock_ns = 6.67
[[step]]
entry = "nextpnr-route:translate"
[[step]]
entry = "yosys-synth:partition"
inputs = {{ rtl = "{rtl}" }}
[[step]]
name = "synthesize_layers"
entry = "yosys-synth:synthesize_lattice_layer"
each = "layer"
inputs = {{ layer = "partition.layers" }}
[[step]]
entry = "yosys-synth:join_lattice"
inputs = {{ rtl = "{rtl}" }}
[[step]]
entry = "nextpnr-route:route"
inputs = {{ rtl = "{rtl}" }}
[[step]]
entry = "nextpnr-route:pack"
"""


@pytest.mark.container
def test_containers_give_the_same_bitstream_from_the_same_design(
    environments: Path, tmp_path: Path, digits: BuildResult
) -> None:
    cache = tmp_path / "another cache"
    cache.mkdir()
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    (tmp_path / "build.toml").write_text(
        FROM_RTL.format(model=EXAMPLE.parent / "digits_w4a4.onnx", rtl=artifacts(digits) / "rtl")
    )
    result = build(Workspace(ROOT, cache), tmp_path / "build.toml", tmp_path / "other", runtime="docker")
    assert result.status == "ok", result.failure
    assert {step.status for step in result.steps} == {"ran"}
    same = ("bitstream.bit", "routed_config", "lattice_netlist.json", "implementation.json")
    for name in same:
        assert (artifacts(result) / name).read_bytes() == (artifacts(digits) / name).read_bytes(), name
    translated = (files_below(artifacts(one) / "nextpnr_programs") for one in (result, digits))
    assert next(translated) == next(translated)


@pytest.mark.proof
def test_a_device_of_amd_gets_the_same_stitched_design(
    workspace: Workspace, tmp_path: Path, digits: BuildResult
) -> None:
    amd = build(workspace, EXAMPLE, tmp_path, "target.part=xczu7ev-ffvc1156-2-e", last="stitch")
    assert amd.status == "ok", amd.failure
    assert files_below(artifacts(amd) / "rtl") == files_below(artifacts(digits) / "rtl")


@pytest.mark.proof
def test_another_path_and_an_empty_cache_give_the_same_bitstream(
    environments: Path, tmp_path: Path, digits: BuildResult
) -> None:
    cache = tmp_path / "a cache: another"
    cache.mkdir()
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    result = build(Workspace(ROOT, cache), EXAMPLE, tmp_path / "other path")
    assert (artifacts(result) / "bitstream.bit").read_bytes() == (artifacts(digits) / "bitstream.bit").read_bytes()
