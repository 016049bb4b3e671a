"""Blueprints of Brainsmith, read, imported, exported: what is kept, and that what is not is said."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from bskernel.blueprint.exporter import Exported, export_build, join, to_yaml
from bskernel.blueprint.importer import import_blueprint
from bskernel.blueprint.model import SKIP, Blueprint, Note, Steps
from bskernel.blueprint.reader import read_blueprint
from bskernel.blueprint.steps import branching, paths
from bskernel.cli.group import cli
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.flow.loader import load_config
from bskernel.workspace.backend import with_backend_flow
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

PARENT = """
name: Parent
clock_ns: 4
board: ZCU104
finn_config:
  target_fps: 3000
  standalone_thresholds: true
design_space:
  kernels:
    - LayerNorm
    - finn:MVAU: [MVAU_rtl, MVAU_hls]
  steps:
    - qonnx_to_finn
    - streamline
    - finn:tidy_up
    - build_dataflow_graph
"""
CHILD = """
name: child
extends: parent.yaml
output: rtl
finn_config:
  target_fps: 10
  folding_config_file: ${BLUEPRINT_DIR}/folding.json
design_space:
  steps:
    - after: streamline
      insert: custom_step
    - before: build_dataflow_graph
      insert: [check, [option1, option2]]
    - replace: finn:tidy_up
      with: [[tidy, "~"]]
    - remove: nosuch
    - at_start: {insert: first}
    - at_end: {insert: [apply_folding_config, last]}
"""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    (tmp_path / "parent.yaml").write_text(PARENT)
    (tmp_path / "child.yaml").write_text(CHILD)
    return tmp_path / "child.yaml"


def write_blueprint(folder: Path, text: str) -> Path:
    (folder / "x.yaml").write_text(text)
    return folder / "x.yaml"


def again(blueprint: Blueprint, folder: Path) -> Exported:
    """Imported to build.toml files, one for each path, and exported from those."""
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").touch()
    builds, names = [], []
    for number, text in enumerate(import_blueprint(blueprint, "model.onnx", 64).texts):
        path = folder / f"{number}.toml"
        path.write_text(text)
        builds.append(export_build(load_config(path)))
        names.append(path.name)
    return join(builds, names)


def said(notes: tuple[Note, ...]) -> dict[str, str]:
    return {note.where: note.kind for note in notes}


def test_a_child_is_its_parent_with_its_own_keys_and_operations(child: Path, tmp_path: Path) -> None:
    blueprint, notes = read_blueprint(child)
    assert blueprint == Blueprint(
        name="child",
        board="ZCU104",
        clock_ns=4.0,
        output="rtl",
        finn_config={
            "target_fps": 10,
            "standalone_thresholds": True,
            "folding_config_file": f"{tmp_path}/folding.json",
        },
        kernels=("LayerNorm", {"finn:MVAU": ("MVAU_rtl", "MVAU_hls")}),
        steps=(
            "first", "qonnx_to_finn", "streamline", "custom_step", ("tidy", SKIP), "check", ("option1", "option2"),
            "build_dataflow_graph", "apply_folding_config", "last",
        ),
    )  # fmt: skip
    parent, idle = map(str, notes)
    assert parent.startswith('changed: child.yaml: extends = "parent.yaml": its parent')
    assert idle == 'lost: child.yaml: design_space.steps = "remove: nosuch": no such step is there to change'


def test_a_child_with_steps_of_its_own_replaces_its_parent_s(child: Path, tmp_path: Path) -> None:
    child.write_text("extends: parent.yaml\ndesign_space:\n  steps: [one, {after: one, insert: two}]\n")
    assert read_blueprint(child)[0].steps == ("one", "two")


def test_a_build_says_what_the_blueprint_said(child: Path) -> None:
    blueprint, _ = read_blueprint(child)
    imported = import_blueprint(blueprint, "net.onnx", 1)
    build = tomllib.loads(imported.texts[0])
    assert build["build"] == {"name": "child", "model": "net.onnx", "backend": "brainsmith"}
    assert build["target"] == {"clock_ns": 4.0, "board": "ZCU104", "target_fps": 10}
    assert build["parameters"]["brainsmith"] == {
        "output": "rtl",
        "kernels": ["LayerNorm", {"finn:MVAU": ["MVAU_rtl", "MVAU_hls"]}],
        "standalone_thresholds": True,
    }
    entries = [step["entry"] for step in build["step"]]
    assert entries[:5] == [
        f"brainsmith:{name}" for name in ("first", "qonnx_to_finn", "streamline", "custom_step", "tidy")
    ]
    (folding,) = [step for step in build["step"] if "inputs" in step]
    assert folding["entry"] == "brainsmith:apply_folding_config"
    assert said(imported.notes) == {"design_space.steps": "lost"}


def test_what_is_exported_of_an_import_is_the_blueprint(child: Path, tmp_path: Path) -> None:
    blueprint, _ = read_blueprint(child)
    exported = again(blueprint, tmp_path / "builds")
    assert exported.blueprint == blueprint
    assert said(exported.notes) == {"build.model": "lost"}
    assert read_blueprint(write_blueprint(tmp_path, to_yaml(exported.blueprint)))[0] == blueprint


def test_a_range_of_steps_is_kept(tmp_path: Path) -> None:
    blueprint = Blueprint(name="net", clock_ns=5.0, steps=("a", "finn:b", "c"), start_step="finn:b", stop_step="c")
    assert again(blueprint, tmp_path / "builds").blueprint == blueprint


def test_edits_of_a_flow_are_exported(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / "build.toml").write_text(
        'build = { model = "net.onnx", backend = "brainsmith" }\n'
        '[flow]\nto = "build_hw_graph"\noutput_type = "estimates"\n'
        '[flow.edit]\nremove = ["streamline"]\n'
        '[[flow.edit.insert]]\nafter = "tidy_up"\nentry = "brainsmith:bert_streamlining"\n'
        '[flow.edit.replace.minimize_bit_width]\nentry = "brainsmith:finn.minimize_bit_width"\n'
    )
    exported = export_build(with_backend_flow(load_config(tmp_path / "build.toml")))
    steps = exported.blueprint.steps
    assert steps[1:4] == ("tidy_up", "bert_streamlining", "normalize_dataflow_layouts")
    assert "finn:minimize_bit_width" in steps
    assert exported.blueprint.stop_step == "build_hw_graph"
    assert said(exported.notes)["flow.output_type"] == "lost"


def test_every_path_is_a_build_of_its_own(child: Path) -> None:
    blueprint, _ = read_blueprint(child)
    imported = import_blueprint(blueprint, "net.onnx", 64)
    found = [tomllib.loads(text) for text in imported.texts]
    assert [item["build"]["name"] for item in found] == ["child-1", "child-2", "child-3", "child-4"]
    assert len({json.dumps(item["step"]) for item in found}) == 4
    assert imported.notes == ()
    assert said(import_blueprint(blueprint, "net.onnx", 3).notes) == {"design_space.steps": "lost"}


NAMES = st.text("abcdef", min_size=1, max_size=3).map(lambda name: f"s{name}")
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def steps_with_branches(draw: st.DrawFn) -> Steps:
    """Steps of which no name occurs twice; branch points do not touch one another."""
    names = iter(draw(st.lists(NAMES, min_size=16, max_size=16, unique=True)))
    steps: list[str | tuple[str, ...]] = [next(names)]
    for options in draw(st.lists(st.integers(1, 3), max_size=3)):
        point = tuple(next(names) for _ in range(options))
        if options == 1 or draw(st.booleans()):
            point = (*point[:2], SKIP)
        steps += [point, next(names)] if draw(st.booleans()) or options == 1 else [next(names), point, next(names)]
    return tuple(steps)


@given(steps_with_branches())
def test_branch_points_are_found_again_in_their_paths(steps: Steps) -> None:
    found = branching(list(paths(steps)))
    assert set(paths(found)) == set(paths(steps))
    assert [step for step in found if isinstance(step, str)] == [step for step in steps if isinstance(step, str)]


CHOSEN = st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=2).map(tuple), min_size=1, max_size=1)


@given(
    clock=st.floats(0.5, 100),
    board=st.none() | st.sampled_from(["V80", "Pynq-Z1"]),
    config=st.dictionaries(NAMES, VALUES, max_size=4),
    kernels=st.lists(NAMES | CHOSEN, max_size=3),
    steps=st.lists(NAMES | NAMES.map(lambda name: f"finn:{name}"), min_size=1, max_size=6).map(tuple),
)
def test_any_expressible_blueprint_survives_the_way_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, clock: float, board: Any, config: Any, kernels: Any, steps: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "round"
    blueprint = Blueprint(
        name="net", clock_ns=clock, board=board, finn_config=config, kernels=tuple(kernels), steps=steps, output="rtl"
    )
    exported = again(blueprint, folder)
    assert exported.blueprint == blueprint
    assert read_blueprint(write_blueprint(folder, to_yaml(blueprint)))[0] == blueprint


def test_lists_that_are_no_ways_through_one_list_are_refused() -> None:
    with pytest.raises(ValueError, match="not all the ways"):
        branching([("a", "x", "b", "y"), ("a", "z", "b", "w")])


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("- a list", "is a mapping, not a list"),
        ("clock_ns: [", "not valid YAML"),
        ("name: x", "clock_ns is missing"),
        ("clock_ns: 5\noutput: bitstream", "x.yaml: output: 'bitstream' is not a choice"),
        ("clock_ns: 5\nextends: x.yaml", "extends itself: x.yaml -> x.yaml"),
        ("clock_ns: 5\nextends: nosuch.yaml", "nosuch.yaml: no such file"),
        ("clock_ns: 5\nextends: ${NOSUCH_DIR}/p.yaml", "the variable NOSUCH_DIR is not set"),
        ("clock_ns: 5\ndesign_space: {steps: [[a, [b]]]}", "options are names, not lists"),
        ("clock_ns: 5\ndesign_space: {steps: [[~, '']]}", "at least one step, and at most one skip"),
        ("clock_ns: 5\ndesign_space: {steps: [{afterwards: a}]}", "is not a step operation; choices: after, before"),
        ("clock_ns: 5\ndesign_space: {steps: [{after: a}]}", "operation after: 'insert' is missing"),
        ("clock_ns: 5\ndesign_space: {steps: [{replace: a, insert: b}]}", "operation replace: unknown key 'insert'"),
        ("clock_ns: 5\ndesign_space: {kernels: [{A: []}]}", "A: a list of backends, not []"),
        ("clock_ns: 5\ndesign_space: {stages: []}", "design_space may contain only kernels and steps"),
    ],
)
def test_what_is_no_blueprint_is_named(tmp_path: Path, text: str, needle: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_blueprint(write_blueprint(tmp_path, text))
    assert needle in caught.value.message


def test_without_pyyaml_the_extra_to_install_is_named(child: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blueprint, _ = read_blueprint(child)
    monkeypatch.setitem(sys.modules, "yaml", None)
    for call in (lambda: read_blueprint(child), lambda: to_yaml(blueprint)):
        with pytest.raises(EnvironmentLacking) as caught:
            call()
        assert caught.value.hint == "install bskernel[blueprint]"


def test_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    text = """
name: a name / with more
description: told to people
clock_ns: 5
target_fps: 100
start_step: b
stop_step: c
finn_config:
  synth_clk_period_ns: 2.5
  verbose: false
  verify_steps: [one]
  mvau_wwidth_max: null
  specialize_layers_config_file: here.json
design_space:
  steps: [a, b, "finn:c", d.e]
"""
    blueprint, read = read_blueprint(write_blueprint(tmp_path, text))
    imported = import_blueprint(blueprint, "net.onnx", 1)
    assert said((*read, *imported.notes)) == {
        "target_fps": "lost",
        "name": "changed",
        "description": "lost",
        "stop_step": "lost",
        "finn_config.synth_clk_period_ns": "changed",
        "finn_config.verbose": "lost",
        "finn_config.verify_steps": "lost",
        "finn_config.mvau_wwidth_max": "changed",
        "finn_config.specialize_layers_config_file": "lost",
        "design_space.steps": "lost",
    }
    build = tomllib.loads(imported.texts[0])
    assert build["target"]["clock_ns"] == 2.5
    assert build["flow"] == {"from": "b"}


def export(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["blueprint", "export", *arguments])


def test_a_build_for_finn_plus_names_finn_s_steps_and_says_what_is_left_out(tmp_path: Path) -> None:
    done = export(str(ROOT / "examples" / "digits" / "two-finns.toml"), "--notes", str(tmp_path / "notes.json"))
    assert done.exit_code == 0, done.output
    (tmp_path / "b.yaml").write_text(done.stdout)
    blueprint, _ = read_blueprint(tmp_path / "b.yaml")
    assert blueprint.steps[:3] == ("finn:qonnx_to_finn", "finn:tidy_up", "finn:streamline")
    assert blueprint.finn_config == {
        "fpga_part": "xczu7ev-ffvc1156-2-e", "target_fps": 100_000, "standalone_thresholds": True,
    }  # fmt: skip
    notes = {note["where"]: note["kind"] for note in json.loads((tmp_path / "notes.json").read_text())}
    assert notes["step cleanup"] == notes["step metrics"] == notes["step.step_streamline.executor"] == "lost"
    assert notes["step step_minimize_bit_width_initial"] == "lost"
    assert notes["steps of finn-step"] == "changed"
    assert len(done.stderr.splitlines()) == len(json.loads((tmp_path / "notes.json").read_text()))


def test_of_a_named_backend_its_own_flow_is_exported(tmp_path: Path) -> None:
    done = export(str(ROOT / "examples" / "digits" / "build.toml"), "--set", "build.backend=brainsmith")
    assert done.exit_code == 0, done.output
    assert "- build_hw_graph\n" in done.stdout
    assert "- finn:qonnx_to_finn\n" in done.stdout


def test_what_is_known_of_brainsmith_s_steps_decides_which_are_exported() -> None:
    loaded = load_config(ROOT / "examples" / "digits" / "build.toml")
    known = frozenset({"finn:tidy_up", "finn:transpose_decomposition"})
    exported = export_build(loaded, known)
    assert exported.blueprint.steps == ("finn:tidy_up", "finn:transpose_decomposition")
    assert {note.why for note in exported.notes} >= {"Brainsmith has no step finn:streamline"}


def test_builds_that_differ_in_more_than_steps_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    for number in (1, 2):
        (tmp_path / f"{number}.toml").write_text(
            f'build.model = "net.onnx"\ntarget.clock_ns = {number}.0\n[[step]]\nentry = "brainsmith:a"\n'
        )
    done = export(str(tmp_path / "1.toml"), str(tmp_path / "2.toml"))
    assert isinstance(done.exception, ConfigError)
    assert "differs from" in done.exception.message


def test_the_command_writes_a_build_for_each_path(child: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["blueprint", "import", str(child), "--into", str(tmp_path / "builds")])
    assert done.exit_code == 0, done.output
    assert [Path(line).name for line in done.stdout.split()] == [f"child-{n}.toml" for n in (1, 2, 3, 4)]
    (tmp_path / "builds" / "model.onnx").touch()
    joined = export(*done.stdout.split())
    assert joined.exit_code == 0, joined.output
    (tmp_path / "joined.yaml").write_text(joined.stdout)
    assert read_blueprint(tmp_path / "joined.yaml")[0].steps == read_blueprint(child)[0].steps


def test_tools_and_their_versions_are_lost(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / "build.toml").write_text(
        'build = { model = "net.onnx", backend = "brainsmith" }\n'
        '[tools.vivado]\npath = "/opt/Vivado/2024.2"\nversions."2022.2" = "/opt/Vivado/2022.2"\n'
        '[step.tidy_up]\ntools = { vivado = "2022.2" }\n'
    )
    exported = export_build(with_backend_flow(load_config(tmp_path / "build.toml")))
    lost = {note.where: note.value for note in exported.notes if note.kind == "lost"}
    assert lost["tools.vivado"] == {"path": "/opt/Vivado/2024.2", "2022.2": "/opt/Vivado/2022.2"}
    assert lost["step.tidy_up.tools.vivado"] == "2022.2"
