"""Builds compared by the command, and from Python; those of the digits example are real ones."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import bskernel
import pytest
from bskernel.commands.build import run_build
from bskernel.core.observers import SilentObserver
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace
from support.builds import write
from support.paths import BSKERNEL, ROOT

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[target]
target_fps = 3
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
[[step]]
name = "again"
entry = "testing:double"
"""
Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_a_setting_a_step_and_a_failure_are_found(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, CONFIG)
    assert cli("run", "build.toml", "--output", "one").returncode == 0
    assert cli("run", "build.toml", "--output", "two", "--set", "target.target_fps=4", "--to", "add").returncode == 0
    done = cli("diff", "one", "two")
    assert done.returncode == 0, done.stderr
    assert re.search("target.target_fps +3 +4", done.stdout)
    assert "executors: the same in 2 steps" in done.stdout
    assert "steps: 1 changed, 1 removed, 1 same" in done.stdout
    assert "parameter number: 3 -> 4; different output: model" in done.stdout
    assert "metrics: neither build has any" in done.stdout

    (tmp_path / "build.toml").write_text(
        CONFIG + '[[step]]\nentry = "testing:misbehave"\nparameters = {how = "raise"}'
    )
    assert cli("run", "build.toml", "--output", "bad").returncode == 3
    failed = cli("diff", "one", "bad", "--fail-if", "throughput < base")
    assert failed.returncode == 5
    assert "B (new)   sum  failed" in failed.stdout
    assert "cannot be judged" in failed.stdout


def test_a_gate_on_bytes_passes_for_equal_builds_and_names_the_steps_that_differ(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, CONFIG)
    for name, fps in (("one", 3), ("same", 3), ("other", 4)):
        setting = f"target.target_fps={fps}"
        assert cli("run", "build.toml", "--output", name, "--set", setting).returncode == 0
    equal = cli("diff", "one", "same", "--fail-if-artifacts-differ")
    assert equal.returncode == 0, equal.stderr
    assert "the outputs of all 3 steps are equal" in equal.stdout
    different = cli("diff", "one", "other", "--fail-if-artifacts-differ", "--format", "junit")
    assert different.returncode == 5
    (case,) = ET.fromstring(different.stdout).iter("testcase")
    assert case.get("name") == "artifacts differ"
    assert case[0].get("message") == "2 of 3 steps: add (model), again (model)"


def test_a_step_of_one_build_alone_fails_the_gate_on_bytes(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, CONFIG)
    assert cli("run", "build.toml", "--output", "one").returncode == 0
    assert cli("run", "build.toml", "--output", "part", "--to", "add").returncode == 0
    done = cli("diff", "one", "part", "--fail-if-artifacts-differ")
    assert done.returncode == 5
    assert "one step: again (only A has it)" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere", "nowhere"),
        ("one", "one", "--fail-if", "throughput <"),
        ("one", "one", "--gates", "nowhere.toml"),
        ("one", "one", "--format", "junit"),
        ("one", "one", "--missing", "perhaps"),
        ("one",),
    ],
)
def test_what_cannot_be_asked_or_read_ends_with_2(cli: Cli, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "result.json").write_text('{"name": "one", "status": "ok", "steps": []}')
    done = cli("diff", *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def digits(workspace: Workspace, folder: Path, fps: int) -> Path:
    config = ROOT / "examples" / "digits" / "build.toml"
    prepared = workspace.prepare(config, settings=[f"target.target_fps={fps}"], output=folder / str(fps))
    result = run_build(workspace, prepared, SilentObserver(), options=BuildOptions(runtime="process"))
    assert result.status == "ok", result.failure
    return result.directory


@pytest.fixture(scope="module")
def two(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("two")
    return str(digits(workspace, folder, 100_000)), str(digits(workspace, folder, 50_000))


def diff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [BSKERNEL, "diff", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.env
def test_half_the_throughput_fails_its_gate_and_fewer_dsps_pass_theirs(two: tuple[str, str], tmp_path: Path) -> None:
    passing = diff(*two, "--fail-if", "DSP > base", "--fail-if", "throughput < 50_000")
    assert passing.returncode == 0, passing.stdout + passing.stderr
    assert "gates: 2 passed" in passing.stdout

    (tmp_path / "gates.toml").write_text(
        '[[gate]]\nname = "pace"\nfail_if = "throughput < 0.98 * base"\nreason = "the camera"\n'
        '[[gate]]\nname = "area"\nfail_if = "resources.LUT > 1.05 * base or utilization.LUT > 0.8"\n'
    )
    report = tmp_path / "gates.xml"
    options = ("--gates", str(tmp_path / "gates.toml"), "--format", "junit", "--output", str(report))
    failing = diff(*two, *options, "--fail-if", "throughput@rtlsim < base")
    assert failing.returncode == 5
    assert failing.stdout == ""
    assert "gate pace: failed: throughput@estimate [97656.25 inferences/s]" in failing.stderr
    assert [(case.get("name"), case[0].tag) for case in ET.parse(report).iter("testcase")] == [
        ("pace", "failure"),
        ("area", "system-out"),
        ("throughput@rtlsim < base", "error"),
    ]
    ignoring = diff(*two, "--missing", "ignore", "--fail-if", "throughput@rtlsim < base")
    assert ignoring.returncode == 0, ignoring.stdout


@pytest.mark.env
def test_what_differs_is_what_was_set_and_what_follows_from_it(two: tuple[str, str]) -> None:
    found = bskernel.diff(*two, gates=["throughput < 0.98 * base"])
    assert found.failed
    assert found.config is not None
    assert [(change.key, change.base, change.new) for change in found.config] == [
        ("target.target_fps", 100_000, 50_000)
    ]
    assert all(step.same_executor and step.new_executor and step.new_executor.digest for step in found.steps)
    changed = [step.name for step in found.steps if step.status == "changed"]
    assert changed[0] == "step_target_fps_parallelization"
    (throughput,) = [item for item in found.metrics if item.name == "throughput"]
    metrics = [json.loads((Path(build) / "metrics.json").read_text())["throughput"][0]["value"] for build in two]
    assert [throughput.base, throughput.new] == metrics


@pytest.mark.env
def test_a_real_build_does_not_differ_from_itself(two: tuple[str, str]) -> None:
    assert bskernel.diff(two[0], two[0]).same
    done = diff(two[0], two[0], "--fail-if", "throughput != base or LUT != base", "--format", "markdown")
    assert done.returncode == 0, done.stdout
    assert "### bskernel diff: no difference" in done.stdout
