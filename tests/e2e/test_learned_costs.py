"""Costs of layers that learn from synthesis: rounds until a design fits, and `bskernel calibrate`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.paths import BSKERNEL, DIGITS, ROOT

pytestmark = pytest.mark.env
MODEL = DIGITS / "digits_w4a4.onnx"
# Nothing is simulated here: other tests do that, and the rounds are the same.
WITHOUT_SIMULATION = """
extends = "open"
[edit]
remove = ["compile_library", "insert_deep_fifos", "codegen_for_sizing", "stitch_for_sizing", "compile_for_sizing",
          "size_fifos", "compile", "expect", "simulate", "export", "reference"]
[edit.replace.insert_streams]
entry = "finn-step:insert_streams"
parameters = { fifo_depth = 2 }
"""
FIT = f"""
[build]
name = "fit"
model = "{MODEL}"
flow = "flow.toml"
[target]
board = "ZCU104"
objective = "fastest"
budget = {{ LUT = 1_200, FF = 2_600, DSP = 40 }}
[quality]
verify = "off"
[sweep]
repeat = "fit"
"""
CALIBRATION = """
extends = "calibrate"
[collection]
result = "cost_samples.json"
without = ["target.objective", "target.budget"]
[collection.grid]
"quality.verify" = ["off"]
"step.optimize_folding.parameters.most_luts" = [150]
"step.optimize_folding.parameters.seed" = [0, 1]
"""


@pytest.fixture
def cli(environments: Path, tmp_path: Path) -> Any:
    """Call the bskernel command of this checkout, with its executors."""
    own = {"BSKERNEL_ROOT": str(ROOT), "BSKERNEL_CACHE": str(environments), "BSKERNEL_TRUST": "1"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [BSKERNEL, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, **own}
        )

    return call


def write(folder: Path, flow: str) -> str:
    (folder / "flow.toml").write_text(flow)
    (folder / "build.toml").write_text(FIT)
    return str(folder / "build.toml")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_rounds_end_at_a_design_that_is_within_its_budget_after_synthesis(cli: Any, tmp_path: Path) -> None:
    done = cli("sweep", write(tmp_path, WITHOUT_SIMULATION), "--runtime", "process")
    sweep = read(tmp_path / "build" / "fit-sweep" / "sweep.json")
    (one,) = sweep["repetitions"]
    assert one["ended"] == "met", done.stderr[-3000:]
    assert done.returncode == 0
    point = tmp_path / "build" / "fit-sweep" / "points" / one["points"][-1] / "artifacts"
    check, counted = read(point / "budget_check.json")["resources"], read(point / "synthesis.json")["design"]
    assert counted["LUT"] == check["LUT"]["counted"] <= check["LUT"]["budget"] == 1200
    assert counted["FF"] == check["FF"]["counted"] <= check["FF"]["budget"] == 2600
    metrics = read(point / "metrics.json")["budget"]
    assert max(value["value"] for value in metrics["worst"] if value["stage"] == "synth") <= 1
    # What was counted of layers and streams comes to the whole design.
    own = [sample for sample in read(point / "cost_samples.json")["samples"] if sample.get("layer")]
    last = {sample["layer"]: sample for sample in own}
    assert sum(sample["LUT"] for sample in last.values()) == counted["LUT"]
    assert sum(sample["FF"] for sample in last.values()) == counted["FF"]
    assert "budget.worst <= 1 holds after" in done.stdout


def test_on_an_ecp5_rounds_compare_the_budget_with_what_nextpnr_packs(cli: Any, tmp_path: Path) -> None:
    on_ecp5 = WITHOUT_SIMULATION.replace('"open"', '"ecp5"').replace(', "export"', ', "translate", "route", "pack"')
    config = write(tmp_path, on_ecp5)
    text = FIT.replace("ZCU104", "ULX3S-85F").replace("LUT = 1_200, FF = 2_600", "LUT = 2_200")
    (tmp_path / "build.toml").write_text(text)
    done = cli("sweep", config, "--runtime", "process")
    (one,) = read(tmp_path / "build" / "fit-sweep" / "sweep.json")["repetitions"]
    assert one["ended"] == "met", done.stderr[-3000:]
    point = tmp_path / "build" / "fit-sweep" / "points" / one["points"][-1] / "artifacts"
    check, cells = read(point / "budget_check.json"), read(point / "synthesis.json")["design"]
    assert "packed" in check["tool"]
    assert cells["LUT"] * 0.9 < check["resources"]["LUT"]["counted"] <= 2_200
    samples = read(point / "cost_samples.json")["samples"]
    assert {sample["family"] for sample in samples} == {"ecp5"}
    last = {sample["layer"]: sample for sample in samples if sample.get("layer")}
    assert sum(sample["LUT"] for sample in last.values()) == check["resources"]["LUT"]["counted"]
    assert sum(sample["BRAM_18K"] for sample in last.values()) == cells["BRAM_18K"]


def test_what_was_calibrated_is_an_input_of_a_build_that_learns_from_it(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, CALIBRATION)
    samples = tmp_path / "cost_samples.json"
    done = cli("calibrate", config, "--collection", "flow.toml", "--output", str(samples), "--runtime", "process")
    assert done.returncode == 0, done.stderr[-3000:]
    found = read(samples)["samples"]
    assert {"MVAU_rtl", "Thresholding_rtl", "StreamingFIFO_rtl"} <= {sample["operator"] for sample in found}
    assert f"{len(found)} samples of 2 builds" in done.stdout
    first = samples.read_bytes()
    again = cli(
        "calibrate", config, "--collection", "flow.toml", "--output", str(samples), "--runtime", "process", "--json"
    )
    assert json.loads(again.stdout)["counts"]["ran"] == 0
    assert samples.read_bytes() == first
    given = f"step.optimize_folding.inputs.cost_samples={samples}"
    until = ("--set", "build.flow=rtl", "--to", "optimize_folding", "--runtime", "process")
    assert cli("run", config, *until, "--set", given).returncode == 0
    model = read(tmp_path / "build" / "fit" / "artifacts" / "folding_report.json")["cost_model"]["MVAU_rtl"]
    assert model["own"] == len([sample for sample in found if sample["operator"] == "MVAU_rtl"]) > 0
    assert 0 <= model["median_error"] < 1


def test_a_file_that_has_no_samples_is_refused_with_the_key(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, WITHOUT_SIMULATION)
    (tmp_path / "mine.json").write_text('{"samples": [{"operator": "MVAU_rtl", "features": {}, "LUTs": 3}]}')
    given = f"step.optimize_folding.inputs.cost_samples={tmp_path / 'mine.json'}"
    done = cli("run", config, "--to", "optimize_folding", "--runtime", "process", "--set", given)
    assert done.returncode == 3
    assert "cost_samples: unknown key 'samples[0].LUTs'" in done.stdout + done.stderr


@pytest.mark.parametrize(("output", "reason"), [("none/samples.json", "there is no folder"), (".", "it is a folder")])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_synthesised(
    cli: Any, tmp_path: Path, output: str, reason: str
) -> None:
    done = cli("calibrate", write(tmp_path, WITHOUT_SIMULATION), "--output", str(tmp_path / output))
    assert (done.returncode, reason in done.stderr) == (2, True)
    assert not (tmp_path / "build").exists()


def test_an_unknown_flow_is_refused_though_another_takes_its_place(cli: Any, tmp_path: Path) -> None:
    done = cli("calibrate", write(tmp_path, WITHOUT_SIMULATION), "--set", "build.flow=opne")
    assert done.returncode == 2
    assert "unknown flow 'opne'" in done.stderr


def test_a_flow_that_collects_nothing_is_refused(cli: Any, tmp_path: Path) -> None:
    done = cli("calibrate", write(tmp_path, WITHOUT_SIMULATION), "--collection", "open")
    assert done.returncode == 2
    assert "flow 'open' has no [collection]" in done.stderr
