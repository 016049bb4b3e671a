"""FINN's build configuration becomes a build.toml that plans, and nothing of it is lost in silence."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from bskernel.config import Config
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.flow.edits import name_steps
from bskernel.flow.loader import flow_names, shipped_flow
from bskernel.scaffold.data_files import ci_template, finn_fields, read_finn_config
from bskernel.scaffold.finn_build import make_finn_build
from bskernel.scaffold.finn_importer import FinnImport, import_finn_config
from bskernel.scaffold.network import DescribedNetwork
from bskernel.scaffold.new_build import Target
from bskernel_protocol import Catalogue
from hypothesis import example, given
from hypothesis import strategies as st
from support.paths import ROOT

FOLDER = ROOT / "images" / "finn-step" / "finn-plus-1.6.1"
CATALOGUE = msgspec.json.decode((FOLDER / "catalogue.json").read_bytes(), type=Catalogue)
ENTRIES = {entry.name: entry for entry in CATALOGUE.entries}
FIELDS = finn_fields()
NETWORK = DescribedNetwork(
    stages=("qonnx",),
    exporter=None,
    opset=None,
    inputs=(),
    outputs=(),
    layers=(),
    operators={},
    changes=0,
    problems=(),
)
FILES = {"folding.json", "styles.json", "frames.npy"}
ESTIMATE = [
    "step_qonnx_to_finn", "step_tidy_up", "step_streamline", "step_convert_to_hw", "step_create_dataflow_partition",
    "step_specialize_layers", "step_target_fps_parallelization", "step_apply_folding_config",
    "step_minimize_bit_width", "step_generate_estimate_reports",
]  # fmt: skip


def imported(
    data: dict[str, Any], target: Target | None = None, flow: str | None = None, stage: str = "qonnx"
) -> FinnImport:
    return import_finn_config(
        data,
        FIELDS,
        flow_steps=lambda name: name_steps(shipped_flow(name).step, name),
        entries=ENTRIES,
        boards=CATALOGUE.boards,
        path_of=lambda path: path if path in FILES else None,
        given=target or Target(),
        flow=flow,
        stages=(stage,),
    )


def text_of(found: FinnImport) -> str:
    return make_finn_build(found, NETWORK, model="net.onnx", source="finn.json").text()


def build(data: dict[str, Any], target: Target | None = None, flow: str | None = None) -> dict[str, Any]:
    """The build.toml, decoded as `bskernel run` does."""
    read = tomllib.loads(text_of(imported(data, target, flow)))
    msgspec.convert(read, Config)
    return read


def lost(data: dict[str, Any]) -> dict[str, str]:
    return {note.where: note.why for note in imported(data).notes if note.kind == "lost"}


def test_the_target_folding_and_styles_are_in_the_file() -> None:
    data = {
        "board": "Pynq-Z1",
        "synth_clk_period_ns": 8,
        "target_fps": 1000.0,
        "generate_outputs": ["estimate_reports"],
        "folding_config_file": "folding.json",
        "specialize_layers_config_file": "styles.json",
        "verify_input_npy": "frames.npy",
        "mvau_wwidth_max": 72,
        "standalone_thresholds": True,
    }
    made = build(data)
    assert made["build"] == {"model": "net.onnx", "flow": "estimate"}
    assert made["target"] == {"board": "Pynq-Z1", "clock_ns": 8.0, "target_fps": 1000}
    assert made["quality"] == {"samples": "frames.npy"}
    assert made["parameters"]["finn-step"] == {"mvau_wwidth_max": 72, "standalone_thresholds": True}
    assert made["step"] == {
        "step_apply_folding_config": {"inputs": {"folding_config": "folding.json"}},
        "step_specialize_layers": {"inputs": {"specialize_layers_config": "styles.json"}},
    }
    assert lost(data) == {}


def test_the_clock_of_a_file_that_has_none_is_that_of_finn() -> None:
    assert build({"board": "U50"})["target"]["clock_ns"] == 10.0


def test_what_the_user_gives_wins() -> None:
    data = {"board": "U50", "synth_clk_period_ns": 10.0, "generate_outputs": ["bitfile"]}
    made = build(data, Target(part="xc7z020clg400-1", clock_ns=4.0), "estimate")
    assert made["target"] == {"part": "xc7z020clg400-1", "clock_ns": 4.0}
    assert made["build"]["flow"] == "estimate"


def test_a_part_that_is_not_the_boards_wins_as_in_finn_and_the_board_is_named() -> None:
    data = {"board": "ZCU104", "fpga_part": "xc7z020clg400-1"}
    assert build(data)["target"]["part"] == "xc7z020clg400-1"
    assert "board" not in build(data)["target"]
    assert "another part" in lost(data)["board"]


@pytest.mark.parametrize(
    ("outputs", "flow", "removed"),
    [
        (["estimate_reports"], "estimate", 0),
        (["estimate_reports", "stitched_ip"], "bitstream", 4),
        (["OUT_OF_CONTEXT_SYNTH"], "bitstream", 3),
        (["bitfile", "pynq_driver", "deployment_package"], "bitstream", 0),
        (None, "estimate", 0),
    ],
)
def test_the_flow_makes_what_was_asked_for(outputs: list[str] | None, flow: str, removed: int) -> None:
    made = build({"board": "ZCU104", "generate_outputs": outputs})
    assert made["build"]["flow"] == flow
    assert len(made.get("flow", {}).get("edit", {}).get("remove", ())) == removed


def test_a_list_of_steps_that_a_flow_does_is_that_flow() -> None:
    data = {"board": "U50", "steps": ESTIMATE, "generate_outputs": ["estimate_reports", "bitfile"]}
    made = build(data)
    assert made["build"]["flow"] == "estimate"  # no step of the list makes a bitfile
    assert "step" not in made
    assert build({"board": "U50", "steps": [*ESTIMATE, "step_hw_codegen"]})["build"]["flow"] == "codegen"


def test_a_list_with_a_step_of_ones_own_is_kept_and_the_step_is_named() -> None:
    data = {"board": "U50", "steps": [*ESTIMATE[:3], "mine.steps.tidy", *ESTIMATE[3:]], "mvau_wwidth_max": 72}
    made = build(data)
    entries = [step["entry"] for step in made["step"]]
    own = [entry.removeprefix("finn-step:") for entry in entries if entry.startswith("finn-step:step_")]
    assert own == ESTIMATE
    assert entries[:2] == ["qonnx-transform:adapt", "qonnx-transform:cleanup"]
    assert entries[-1] == "metrics:collect"
    assert "step of that name" in lost(data)["steps"]
    text = text_of(imported(data))
    assert 'parameters = { function = "mine.steps:tidy" }' in text
    assert text.index("step_streamline") < text.index("mine.steps:tidy") < text.index("step_convert_to_hw")


def test_steps_of_finns_library_are_known_by_their_python_paths() -> None:
    library = "finn.builder.custom_step_library"
    steps = [f"{library}.resnet.step_resnet50_tidy", f"{library}.transformer_adhoc.step_convert_to_hw", *ESTIMATE[4:]]
    data = {"board": "U250", "steps": steps}
    entries = [step.entry.partition(":")[2] for step in imported(data).steps.listed]
    own = ["step_resnet50_tidy", "transformer_adhoc_step_convert_to_hw"]
    assert entries[:5] == ["adapt", "cleanup", "step_qonnx_to_finn", *own]
    assert lost(data) == {}
    converted = imported(data, stage="finn").steps.listed  # nothing of it is as it was exported
    assert [step.name for step in converted[:2]] == own


def test_steps_behind_the_estimates_may_stand_in_the_order_of_any_release() -> None:
    behind = ["step_set_fifo_depths", "step_hw_codegen", "step_hw_ipgen", "step_create_stitched_ip"]
    data = {"board": "ZCU104", "steps": [*ESTIMATE, *behind], "generate_outputs": ["stitched_ip"]}
    assert build(data)["build"]["flow"] == "bitstream"


def test_another_order_of_steps_is_kept() -> None:
    steps = [*ESTIMATE[:7], ESTIMATE[8], ESTIMATE[7], ESTIMATE[9]]
    made = build({"board": "U50", "steps": steps})
    names = [step["entry"] for step in made["step"]]
    assert names.index("finn-step:step_minimize_bit_width") < names.index("finn-step:step_apply_folding_config")


def test_steps_of_older_releases_have_todays_names() -> None:
    data = {"board": "U50", "steps": [*ESTIMATE[:3], "step_convert_to_hls", *ESTIMATE[4:]]}
    assert build(data)["build"]["flow"] == "estimate"
    assert any(note.value == "step_convert_to_hls" for note in imported(data).notes)


def test_a_value_that_the_flow_sets_itself_is_set_at_its_step() -> None:
    made = build({"board": "ZCU104", "generate_outputs": ["bitfile"], "auto_fifo_strategy": "live_fifo"})
    assert made["step"]["step_set_fifo_depths"] == {"parameters": {"auto_fifo_strategy": "live_fifo"}}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("auto_fifo_strategy", "largefifo_rtlsim", "live_fifo"),
        ("folding_config_file", "nowhere.json", "no such file"),
        ("shell_flow_type", "vitis_alveo", "Zynq"),
        ("partitioning_configuration", {"num_fpgas": 2}, "several FPGAs"),
        ("board", "VC707", "boards"),
        ("synth_clk_period_ns", "fast", "number above 0"),
        ("target_fps", -1, "number above 0"),
        ("folding_confg_file", "folding.json", "did you mean folding_config_file"),
        ("verify_expected_output_npy", "out.npy", "labels"),
        ("generate_outputs", ["everything"], "not one of FINN's outputs"),
        ("steps", [1], "names of steps"),
        ("stop_step", "step_nowhere", "no step of that name"),
    ],
)
def test_what_cannot_be_said_is_named_with_the_reason(field: str, value: Any, why: str) -> None:
    data = {"fpga_part": "xczu7ev-ffvc1156-2-e", field: value}
    assert why in lost(data)[field]
    assert field in text_of(imported(data)).split("[build]")[0]  # the file says it, too


def test_a_field_at_finns_own_value_needs_no_note() -> None:
    data = {"board": "U50", "folding_config_file": None, "verify_input_npy": "input.npy", "auto_fifo_depths": True}
    assert lost(data) == {}
    assert "parameters" not in build(data)


def read_or_refuse(path: Path) -> dict[str, Any] | BskernelError:
    try:
        return read_finn_config(path)
    except BskernelError as error:
        return error


FIELD_NAMES = [*FIELDS.target, *FIELDS.files, *FIELDS.samples, *FIELDS.covered, *FIELDS.lost, *FIELDS.values]
NAMES = st.sampled_from(
    [*FIELD_NAMES, "steps", "generate_outputs", "stop_step", "mvau_wwidth_max", "auto_fifo_strategy", "hello"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 10**6), st.floats(), st.text(max_size=6), st.sampled_from(ESTIMATE)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


@example(data={"generate_outputs": {"": None}}, as_yaml=False)
@example(data={"stop_step": "step_qonnx_to_finn"}, as_yaml=False)
@given(st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=8), st.booleans())
def test_any_configuration_gives_a_build_toml_or_a_declared_error(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any], as_yaml: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / f"config.{'yaml' if as_yaml else 'json'}"
    path.write_text(yaml.safe_dump(data) if as_yaml else json.dumps(data), encoding="utf-8", errors="surrogatepass")
    read = read_or_refuse(path)
    if isinstance(read, BskernelError):
        assert str(path) in read.message
        return
    found = imported(read)
    made = tomllib.loads(text_of(found))
    msgspec.convert(made, Config)
    said = {note.where for note in found.notes}
    tables = [found.parameters, *found.step_parameters.values()]
    kept = {name for table in tables for name in table} | {
        key for key, name in FIELDS.target.items() if name in made["target"]
    }
    stop = str(read.get("stop_step"))
    kept |= {"stop_step"} & {key for key in read if made.get("flow", {}).get("to") == FIELDS.renamed.get(stop, stop)}
    for key, value in read.items():
        silent = value is None or value in ({}, [], False) or value in FIELDS.defaults.get(key, ())
        parameter = next((item for entry in ENTRIES.values() for item in entry.parameters if item.name == key), None)
        silent = silent or (parameter is not None and value == parameter.default)
        assert silent or key in said or key in kept, key


@given(st.binary(max_size=200), st.sampled_from(("json", "yaml", "yml", "cfg")))
def test_any_bytes_are_a_configuration_or_a_declared_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes.{suffix}"
    path.write_bytes(content)
    read = read_or_refuse(path)
    assert isinstance(read, dict) or str(path) in read.message


def test_a_python_script_says_how_to_write_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_finn_config(tmp_path / "build.py")
    assert "to_json" in str(caught.value.hint)


def test_the_data_file_names_steps_flows_and_entries_that_exist() -> None:
    steps = {step.name for name in flow_names() for step in name_steps(shipped_flow(name).step, name)} | set(ENTRIES)
    for product in FIELDS.product:
        assert {product.flow} <= {"", *flow_names()}
        assert {*product.steps, *product.remove} <= steps
    assert {*FIELDS.renamed.values(), *(step for steps in FIELDS.instead.values() for step in steps)} <= steps
    inputs = {item.name for entry in CATALOGUE.entries for item in entry.inputs}
    assert set(FIELDS.files.values()) <= inputs
    parameters = {item.name for entry in CATALOGUE.entries for item in entry.parameters}
    assert parameters.isdisjoint({*FIELDS.covered, *FIELDS.lost})


def test_the_example_of_the_page_is_what_the_import_makes() -> None:
    page = (ROOT / "docs" / "from-finn.md").read_text()
    data, made = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ("yaml", "toml"))
    found = imported(yaml.safe_load(data))
    assert tomllib.loads(text_of(found)) == tomllib.loads(made)
    assert all(f"    {note}\n" in page for note in found.notes)


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_ci_file_is_yaml_that_installs_runs_and_keeps_the_results(name: str) -> None:
    text = ci_template(name)
    yaml.safe_load(text)
    for command in ("uv tool install bskernel", "bskernel run CONFIG", "build/", "cache"):
        assert command in text
