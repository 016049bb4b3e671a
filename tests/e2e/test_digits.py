"""The digits example, built for real in FINN+'s locked environments."""

import json
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bskernel.commands.report import read_record
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import ensure_environment, environment_variables, find_recipes
from bskernel.images.description import describe
from bskernel.report.page.facts import make_page
from bskernel.report.page_renderer import render_page
from bskernel.result.build_result import BuildResult
from bskernel.result.damage import check_contents
from bskernel.workspace.workspace import Workspace
from support.builds import build, statuses
from support.flipped_bits import files_of, flipped
from support.html_document import document
from support.paths import ROOT, SUPPORT

DIGITS = ROOT / "examples" / "digits"
pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def digits(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    result = build(workspace, DIGITS / "build.toml", tmp_path_factory.mktemp("digits"))
    assert result.status == "ok", result.failure
    return result


def test_a_thousand_flipped_bits_in_its_build_directory_are_noticed_and_named(
    workspace: Workspace, tmp_path: Path
) -> None:
    result = build(workspace, DIGITS / "build.toml", tmp_path / "digits", with_inputs=True)
    assert result.status == "ok", result.failure
    chance, files = random.Random(2), files_of(result.directory)  # noqa: S311
    assert len(files) > 90
    named = 0
    for path in chance.choices(files, k=1000):
        with flipped(path, chance):
            found = [damage.path for damage in check_contents(result.directory).damage]
        named += found == [str(path.relative_to(result.directory))]
    assert named == 1000
    assert check_contents(result.directory).damage == ()


def reports(output: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in sorted((output / "report").glob("*.json"))}


def test_the_catalogues_say_what_the_executors_say(environments: Path) -> None:
    for recipe in find_recipes(ROOT):
        assert (recipe.folder / "catalogue.json").read_text() == describe(recipe, environments, print), recipe.name


def test_the_estimates_are_those_that_finn_writes_in_one_process(
    workspace: Workspace, digits: BuildResult, tmp_path: Path, environments: Path
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "finn-step@finn-plus-1.6.1")
    environment = ensure_environment(recipe, environments, lambda _: None)
    cleaned = next(step for step in digits.steps if step.name == "cleanup").outputs[0]
    assert workspace.store.materialise(cleaned, tmp_path / "model.onnx")
    steps = [step.name for step in digits.steps if step.name.startswith("step_")]
    script = SUPPORT / "one_process.py"
    command = [str(environment.python), str(script), str(tmp_path / "model.onnx"), str(tmp_path / "one"), *steps]
    variables = {"PYTHONPATH": str(environment.code), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, env=environment_variables(recipe) | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = reports(tmp_path / "one" / "output")
    assert expected.keys() >= {"estimate_network_performance.json", "estimate_layer_resources.json"}
    assert reports(digits.directory / "artifacts" / "output") == expected


def test_the_metrics_are_those_of_the_reports(digits: BuildResult) -> None:
    assert digits.metrics is not None
    performance = reports(digits.directory / "artifacts" / "output")["estimate_network_performance.json"]
    (throughput,) = digits.metrics["throughput"]
    assert throughput["value"] == performance["estimated_throughput_fps"]
    assert digits.metrics["bottleneck"] == performance["max_cycles_node_name"]


def test_a_second_build_recalls_every_step(workspace: Workspace, digits: BuildResult, tmp_path: Path) -> None:
    again = build(workspace, DIGITS / "build.toml", tmp_path)
    assert set(statuses(again).values()) == {"recalled"}
    assert again.artifacts == digits.artifacts


def test_a_sweep_of_foldings_shares_all_steps_before_them(
    workspace: Workspace, digits: BuildResult, tmp_path: Path
) -> None:
    throughputs = set()
    for target in (10_000, 50_000, 200_000, 500_000, 2_000_000):
        point = build(workspace, DIGITS / "build.toml", tmp_path / str(target), f"target.target_fps={target}")
        found = statuses(point)
        names = list(found)
        at = names.index("step_target_fps_parallelization")
        assert at > 5
        assert {found[name] for name in names[:at]} == {"recalled"}
        assert point.metrics is not None
        throughputs.add(point.metrics["throughput"][0]["value"])
    # The network's sizes leave few foldings: two targets may be met by the same.
    assert len(throughputs) >= 4


def test_another_throughput_reruns_only_from_the_folding_on(
    workspace: Workspace, digits: BuildResult, tmp_path: Path
) -> None:
    changed = statuses(build(workspace, DIGITS / "build.toml", tmp_path, "target.target_fps=1000000"))
    names = list(changed)
    at = names.index("step_target_fps_parallelization")
    assert {changed[name] for name in names[:at]} == {"recalled"}
    assert changed["step_target_fps_parallelization"] == "ran"


def test_another_clone_and_cache_give_the_same_bytes(digits: BuildResult, tmp_path: Path, environments: Path) -> None:
    clone = tmp_path / "another" / "clone"
    for folder in ("protocol", "executors", "images", "docker", "examples/digits"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__", "build"))
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    result = build(Workspace(clone, cache), clone / "examples" / "digits" / "build.toml", tmp_path / "out")
    assert set(statuses(result).values()) == {"ran"}
    assert [step.outputs for step in result.steps] == [step.outputs for step in digits.steps]
    assert [step.key for step in result.steps] == [step.key for step in digits.steps]


@pytest.mark.parametrize("settings", [(), ("build.flow=codegen",)], ids=["estimate", "codegen"])
def test_steps_that_share_a_process_make_the_bytes_of_steps_that_do_not(
    workspace: Workspace, tmp_path: Path, settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = build(workspace, DIGITS / "build.toml", tmp_path / "shared", *settings, fresh=True)
    monkeypatch.setenv("BSKERNEL_OWN_PROCESSES", "1")
    alone = build(workspace, DIGITS / "build.toml", tmp_path / "alone", *settings, fresh=True)
    assert set(statuses(shared).values()) == set(statuses(alone).values()) == {"ran"}
    assert [step.outputs for step in shared.steps] == [step.outputs for step in alone.steps]
    assert [step.record for step in shared.steps] == [step.record for step in alone.steps]


@pytest.mark.container
@pytest.mark.parametrize("settings", [(), ("build.flow=codegen",)], ids=["estimate", "codegen"])
def test_containers_and_processes_make_the_same_bytes(
    workspace: Workspace, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    in_process = build(workspace, DIGITS / "build.toml", tmp_path / "process", *settings)
    contained = build(workspace, DIGITS / "build.toml", tmp_path / "docker", *settings, fresh=True, runtime="docker")
    assert contained.status == "ok", contained.failure
    assert set(statuses(contained).values()) == {"ran"}
    assert [step.key for step in contained.steps] == [step.key for step in in_process.steps]
    assert [step.outputs for step in contained.steps] == [step.outputs for step in in_process.steps]


@pytest.mark.container
def test_a_model_that_holds_paths_of_machines_gives_the_same_bytes_in_either_runtime(
    workspace: Workspace, tmp_path: Path, environments: Path
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "finn-step@finn-plus-1.6.1")
    prefix = ensure_environment(recipe, environments, lambda _: None).python.parents[1]
    paths = f"/tmp/x /bskernel/home/x /opt/bskernel/env/lib/x {prefix}/lib/x".encode()
    # Protocol buffers may be concatenated: this adds an entry to metadata_props (field 14: key 1, value 2).
    entry = b"\x0a\x07made_at\x12" + bytes([len(paths) & 127 | 128, len(paths) >> 7]) + paths
    added = b"\x72" + bytes([len(entry) & 127 | 128, len(entry) >> 7]) + entry
    data = (DIGITS / "digits_w4a4.onnx").read_bytes()
    named = data.replace(b"MatMul_sum_0", b"/tmp/x_sum_0")
    assert named != data
    (tmp_path / "net.onnx").write_bytes(named + added)
    config = tmp_path / "build.toml"
    config.write_text((DIGITS / "build.toml").read_text().replace("digits_w4a4.onnx", "net.onnx"))
    # The step adapt would remove the metadata.
    settings = ("build.flow=codegen", 'step.adapt.parameters.skip=["metadata"]')
    in_process = build(workspace, config, tmp_path / "process", *settings)
    contained = build(workspace, config, tmp_path / "docker", *settings, fresh=True, runtime="docker")
    assert contained.status == "ok", contained.failure
    assert [step.outputs for step in contained.steps] == [step.outputs for step in in_process.steps]
    streamlined = next(step for step in contained.steps if step.name == "step_streamline").outputs[0]
    assert workspace.store.materialise(streamlined, tmp_path / "streamlined.onnx")
    assert paths in (tmp_path / "streamlined.onnx").read_bytes()


def test_code_generation_leaves_no_machine_path(workspace: Workspace, digits: BuildResult, tmp_path: Path) -> None:
    result = build(workspace, DIGITS / "build.toml", tmp_path, "build.flow=codegen")
    assert result.status == "ok", result.failure
    verilog = list((tmp_path / "artifacts" / "state").rglob("*.v"))
    assert verilog
    for path in (tmp_path / "artifacts").rglob("*"):
        if path.is_file():
            assert str(workspace.cache).encode() not in path.read_bytes(), path
    again = build(workspace, DIGITS / "build.toml", tmp_path / "again", "build.flow=codegen", fresh=True)
    assert again.artifacts == result.artifacts


def test_one_build_uses_two_versions_of_finn(workspace: Workspace, tmp_path: Path) -> None:
    result = build(workspace, DIGITS / "two-finns.toml", tmp_path)
    assert result.status == "ok", result.failure
    used = {step.name: step.executor for step in result.steps}
    assert used["step_streamline"] == "finn-step@finn-plus-1.4.0"
    assert used["step_convert_to_hw"] == "finn-step@finn-plus-1.6.1"


def test_a_step_that_needs_vivado_is_refused_before_anything_runs(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "build.toml").write_text(
        f'build.model = "{DIGITS / "digits_w4a4.onnx"}"\n'
        'build.flow = "codegen"\ntarget.part = "xczu7ev-ffvc1156-2-e"\n'
        '[[flow.edit.insert]]\nafter = "step_hw_codegen"\nentry = "finn-step:step_hw_ipgen"\n'
    )
    with pytest.raises(EnvironmentLacking, match=r"step_hw_ipgen needs vitis_hls.*tools\.vitis_hls\.path"):
        workspace.prepare(tmp_path / "build.toml", output=tmp_path / "out")


def test_a_corrupt_model_is_named_as_such(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\xff" + (DIGITS / "digits_w4a4.onnx").read_bytes()[:500])
    (tmp_path / "build.toml").write_text('[build]\nmodel = "net.onnx"\n[target]\npart = "xczu7ev-ffvc1156-2-e"\n')
    with pytest.raises(ConfigError, match=r"build\.model: .*net\.onnx is no ONNX file"):
        build(workspace, tmp_path / "build.toml", tmp_path / "out")


def test_a_finn_exception_ends_in_its_own_words(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "folding.json").write_text('{"Defaults": {"PE": ["many", ["MVAU_rtl"]]}}')
    setting = f'step.step_apply_folding_config.inputs.folding_config="{tmp_path / "folding.json"}"'
    result = build(workspace, DIGITS / "build.toml", tmp_path / "out", setting)
    assert result.failure is not None
    assert result.failure.category == "config"
    assert "Attribute PE expects int" in result.failure.message
    assert any("step_apply_folding_config" in line for line in result.failure.cause)


def test_a_config_of_three_lines_is_a_build(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        f'build.model = "{DIGITS / "digits_w4a4.onnx"}"',
        'target.board = "ZCU104"',
        "target.target_fps = 100_000",
    ]
    (tmp_path / "build.toml").write_text("\n".join(lines))
    result = build(workspace, tmp_path / "build.toml", tmp_path / "out")
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    assert result.metrics["utilization"]["LUT"][0]["value"] > 0


def test_the_page_of_the_build_has_its_layers_in_order_and_the_slowest_marked(digits: BuildResult) -> None:
    page = make_page(read_record(digits.directory))
    names = ["MVAU_rtl_0", "Thresholding_rtl_0", "MVAU_rtl_1", "Thresholding_rtl_1", "MVAU_rtl_2"]
    assert [layer.name for layer in page.layers] == names
    assert [[link.source for link in layer.links] for layer in page.layers] == [[None], [0], [1], [2], [3]]
    assert [layer.name for layer in page.slow] == ["MVAU_rtl_0", "MVAU_rtl_1"]
    first = page.layers[0]
    assert (first.input_shape, first.output_shape, first.weight_shape) == ((1, 64), (1, 32), (64, 32))
    assert (first.input_type, first.weight_type, first.output_type) == ("UINT4", "INT4", "INT12")
    assert (page.coverage is not None, len(page.stages), page.record.altered) == (True, 3, ())


def scalars(value: Any) -> Iterator[str]:
    """Every value that holds no other, as JSON; a text as it is."""
    if isinstance(value, dict | list) and value:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    else:
        yield value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def test_the_page_of_the_build_shows_every_fact_of_its_metrics(digits: BuildResult) -> None:
    metrics = json.loads((digits.directory / "metrics.json").read_text())
    page = document(render_page(make_page(read_record(digits.directory))))
    facts = page.tables["fact-table"][1:]
    assert len(facts) > 150
    assert Counter(text for _, text in facts) == Counter(scalars(metrics))
    assert len({path for path, _ in facts}) == len(facts)
    # What people ask for first is there in digits and units that they read.
    for text in ("195,312 inferences/s", "12.16 \N{MICRO SIGN}s", "200 MHz"):
        assert text in page.text, text
    (stages,) = [rows for rows in page.tables.values() if rows[0][:3] == ["quantity", "stage", "value"]]
    shown = {(row[0], row[1]) for row in stages[1:]}
    for name in ("throughput", "latency", "clock"):
        assert {(name, one["stage"]) for one in metrics[name]} <= shown
    for name, values in metrics["resources"].items():
        assert {(name.replace("_", " "), one["stage"]) for one in values} <= shown
