"""One plan for all points is the plan of each of them made alone, and what they share is planned once."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.core.step import FromStep
from bskernel.flow.selection import RangeRequest
from bskernel.flow.snapshot import snapshot_config
from bskernel.plan.parameters import resolve_parameters
from bskernel.plan.planner import make_plan
from bskernel.sweeps.execution.preparation import PreparedSweep, prepare_sweep
from bskernel.workspace.workspace import PreparedBuild, Workspace
from bskernel_protocol import canonical_bytes
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from support.onnx_bytes import network
from vivado_stand_in.install import make_hls_install, make_install

FIFOS = """
[[flow.edit.insert]]
before = "metrics"
entry = "finn-step:step_set_fifo_depths"
"""
WHEN = """
[[flow.edit.insert]]
after = "step_tidy_up"
name = "only_for_boards"
entry = "finn-step:step_tidy_up"
when = ["target.board", "target.clock_ns != 4.0"]
"""
FIRST = '[flow]\nfrom = "step_convert_to_hw"\n'
FLOWS = ["estimate", "estimate", "codegen", "codegen", "rtl", "open", "netlist", "synth", "bitstream"]
VALUES: dict[str, list[Any]] = {
    "target.target_fps": [1, 1000, 2000],
    "target.clock_ns": [4, 5, 5.0, 10.5],
    "target.part": ["xczu7ev-ffvc1156-2-e", "xc7z020clg400-1"],
    "target.board": ["Pynq-Z1", "ZCU104"],
    "quality.verify": ["stages", "steps", "off"],
    "quality.samples": ["a.npz", "b.npz"],
    "quality.float_model": ["net.onnx", "other.onnx"],
    "quality.frames": [4, 8],
    "quality.on_mismatch": ["fail", "warn"],
    "build.model": ["net.onnx", "other.onnx"],
    "build.flow": ["estimate", "codegen"],
    "build.salt": ["", "a"],
    "executors.finn-step": ["finn-plus-1.6.1", "finn-plus-1.4.0"],
    "parameters.finn-step.standalone_thresholds": [True, False],
    "parameters.finn-step.auto_fifo_strategy": ["force_minimal_fifos", "characterize", "live_fifo", "nonsense"],
    "parameters.finn-step.mvau_wwidth_max": [36, 72, 1000000],
    "step.step_target_fps_parallelization.parameters.mvau_wwidth_max": [36, 48],
    "step.step_target_fps_parallelization.timeout_s": [10, 20],
    "step.evaluate_hwgraph.parameters.top_k": [1, 2],
    "step.evaluate_finn.parameters.rtol": [0, 0.5],
    "step.step_convert_to_hw.parameters.infer_shuffle_skip_first": [True, False],
    "step.step_apply_folding_config.parameters.verification_rtol": [0.25, 0.5],
    "flow.to": ["step_convert_to_hw", "step_specialize_layers"],
    "flow.edit.remove": [[], ["step_tidy_up"]],
    "tools.vivado.path": ["Xilinx/Vivado/2024.2", "Elsewhere/Vivado/2024.2"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    for name in ("net.onnx", "other.onnx"):
        (folder / name).write_bytes(network(name))
    for name in ("a.npz", "b.npz"):
        (folder / name).write_text(name)
    for place in ("Xilinx", "Elsewhere"):
        make_install(folder / place)
    make_hls_install(folder / "Xilinx")
    return folder


def toml(value: Any) -> str:
    """A value as it stands in TOML, and after `--set KEY=`."""
    return json.dumps(value)


def alone(workspace: Workspace, path: Path, point: Mapping[str, Any], range_request: RangeRequest) -> PreparedBuild:
    assignments = [f"{key}={toml(value)}" for key, value in point.items()]
    return workspace.prepare(path, settings=assignments, range_request=range_request)


def content(prepared: PreparedBuild, workspace: Workspace) -> list[bytes]:
    """For each step of a build that was planned by itself, everything that makes it what it is, as bytes."""
    steps = prepared.plan.steps
    found: dict[str, bytes] = {}
    for step in steps:
        entry = workspace.entry(step)
        bare = msgspec.to_builtins(msgspec.structs.replace(step, index=0), enc_hook=str)
        taken = [found[source.step] for source in step.inputs.values() if isinstance(source, FromStep)]
        before = [found[name] for name in step.after]
        all_before = list(found.values()) if entry is not None and entry.after_failure else []
        told = canonical_bytes([bare, taken, before, all_before, prepared.loaded.config.build.salt])
        found[step.name] = hashlib.sha256(told).digest()
    return list(found.values())


def write_sweep(folder: Path, base: str, grid: Mapping[str, list[Any]], name: str = "build.toml") -> Path:
    lines = [f"{toml(key)} = {toml(values)}" for key, values in grid.items()]
    path = folder / name
    path.write_text("\n".join([base, "[sweep.grid]", *lines, ""]))
    (folder / f"base-{name}").write_text(base)
    return path


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[str, dict[str, list[Any]], RangeRequest]:
    flow = draw(st.sampled_from(FLOWS))
    backend = draw(st.sampled_from(["", "", "", "auto", "auto", "finn-plus-1.6.1", "finn-plus-1.4.0"]))
    lines = ["[build]", 'model = "net.onnx"', f'flow = "{flow}"', *([f'backend = "{backend}"'] if backend else [])]
    lines += ["[target]", "target_fps = 100", 'part = "xczu7ev-ffvc1156-2-e"']
    if draw(st.booleans()):
        lines += ["[quality]", f'verify = "{draw(st.sampled_from(["stages", "steps", "off"]))}"']
    lines += ["[tools]", 'vivado.path = "Xilinx/Vivado/2024.2"', 'vitis_hls.path = "Xilinx/Vitis_HLS/2024.2"']
    lines += draw(st.lists(st.sampled_from([FIFOS, WHEN, FIRST]), unique=True, max_size=1))
    keys = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1, max_size=3))
    grid = {}
    for key in keys:
        grid[key] = draw(st.lists(st.sampled_from(VALUES[key]), unique_by=toml, min_size=1, max_size=3))
    range_request = draw(
        st.sampled_from([RangeRequest(), RangeRequest(), RangeRequest(last="-2"), RangeRequest(input_type="finn")])
    )
    return "\n".join(lines), grid, range_request


# Checks that the plan adds behind other steps have the parameters of the one that they are like.
VERIFIED = '[build]\nmodel = "net.onnx"\n[target]\npart = "xc7z020clg400-1"\n[quality]\nverify = "steps"'


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sweeps())
@example((VERIFIED, {"step.evaluate_hwgraph.parameters.top_k": [1, 2], "target.clock_ns": [4, 5]}, RangeRequest()))
def test_every_point_is_planned_as_its_build_is_planned_alone(
    workspace: Workspace, folder: Path, drawn: tuple[str, dict[str, list[Any]], RangeRequest]
) -> None:
    base, grid, range_request = drawn
    path = write_sweep(folder, base, grid)
    points = [dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())]
    builds: list[PreparedBuild] = []
    refused: BskernelError | None = None
    for point in points:
        try:
            builds.append(alone(workspace, folder / "base-build.toml", point, range_request))
        except BskernelError as error:
            refused = refused or error
    event("refused" if refused is not None else f"planned, {'auto' if 'auto' in base else 'no auto'}")
    if refused is not None:
        event(refused.message.partition(": ")[2][:60])
        with pytest.raises(type(refused)) as caught:
            prepare_sweep(workspace, path, range_request=range_request)
        said = refused.message.replace("base-build.toml", "build.toml")
        assert caught.value.message.startswith(said), (caught.value.message, said)
        return
    sweep = prepare_sweep(workspace, path, range_request=range_request)
    expected = {tuple(sorted(recorded(build).items())): build for build in builds}
    assert len({point.name for point in sweep.plan.points}) == len(sweep.plan.points)
    seen: dict[int, bytes] = {}
    for planned in sweep.plan.points:
        prepared = sweep.prepared(planned, folder / "out")
        build = expected[tuple(sorted(recorded(prepared).items()))]
        assert prepared.plan.steps == build.plan.steps
        assert prepared.plan.range == relocated(build.plan.range)
        assert prepared.backend == build.backend
        assert prepared.loaded.config == build.loaded.config
        assert prepared.loaded.flow == build.loaded.flow
        for node, told in zip(planned.nodes, content(build, workspace), strict=True):
            assert seen.setdefault(node, told) == told
        check_nodes(sweep, planned.nodes)
    assert len(set(seen.values())) == len(seen) == len(sweep.plan.nodes)


def recorded(build: PreparedBuild) -> dict[str, str]:
    config = snapshot_config(build.loaded)
    config["build"].pop("name")  # that of the file, of which there are two
    return {key: repr(value) for key, value in config.items()}


def relocated(value: Any) -> Any:
    """The range as the file with the sweep has it: origins of bounds name the file."""
    text = msgspec.json.encode(value).decode().replace("base-build.toml", "build.toml")
    return msgspec.json.decode(text, type=type(value))


def check_nodes(sweep: PreparedSweep, nodes: tuple[int, ...]) -> None:
    names = {sweep.plan.nodes[node].step.name: node for node in nodes}
    for node in nodes:
        for name, before in sweep.plan.nodes[node].before.items():
            assert before < node
            assert names[name] == before


CHAIN = "\n".join(f'[[step]]\nname = "s{at}"\nentry = "testing:add"\n' for at in range(6))


@pytest.fixture
def chain(tmp_path: Path, root: Path, cache: Path) -> tuple[Workspace, Callable[..., Path]]:
    """The tests' executor, and what writes a sweep over six additions, one after another."""
    (tmp_path / "number.txt").write_text("1")
    (tmp_path / "six.toml").write_text(CHAIN)

    def write(grid: Mapping[str, list[Any]], more: str = "") -> Path:
        base = '[build]\nmodel = "number.txt"\nflow = "six.toml"\n'
        path = write_sweep(tmp_path, base, grid)
        path.write_text(path.read_text() + more)
        return path

    return Workspace(root, cache), write


def added(step: int, *values: int) -> dict[str, list[Any]]:
    return {f"step.s{step}.parameters.number": list(values)}


def test_points_that_differ_in_the_last_two_steps_share_all_others(
    chain: tuple[Workspace, Callable[..., Path]],
) -> None:
    workspace, write = chain
    sweep = prepare_sweep(workspace, write(added(4, 10, 20, 30) | added(5, 1, 2, 3, 4)))
    assert len(sweep.plan.points) == 12
    assert len(sweep.plan.nodes) == 4 + 3 + 3 * 4
    assert len({point.nodes[:4] for point in sweep.plan.points}) == 1
    assert len({point.nodes for point in sweep.plan.points}) == 12


@pytest.mark.parametrize(("many", "more"), [(2, 3), (20, 30)])
def test_planning_grows_with_distinct_parameters_and_not_with_points(
    chain: tuple[Workspace, Callable[..., Path]], monkeypatch: pytest.MonkeyPatch, many: int, more: int
) -> None:
    calls: dict[str, int] = {"plans": 0, "parameters": 0}

    def counted(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls[kind] += 1
            return function(*arguments, **named)

        return call

    monkeypatch.setattr("bskernel.workspace.workspace.make_plan", counted("plans", make_plan))
    monkeypatch.setattr("bskernel.plan.parameters.resolve_parameters", counted("parameters", resolve_parameters))
    workspace, write = chain
    sweep = prepare_sweep(workspace, write(added(0, *range(2, 2 + many)) | added(5, *range(2, 2 + more))))
    assert len(sweep.plan.points) == many * more
    assert calls == {"plans": 1, "parameters": 6 + (many - 1) + (more - 1)}


def test_a_number_that_all_steps_take_is_resolved_for_each_of_them_alone(
    chain: tuple[Workspace, Callable[..., Path]],
) -> None:
    workspace, write = chain
    sweep = prepare_sweep(workspace, write({"target.target_fps": [5, 6]} | added(0, 1, 2)))
    assert [
        [step.parameters.get("number", 1) for step in sweep.plan_of(point).steps] for point in sweep.plan.points
    ] == [
        [1, 5, 5, 5, 5, 5],
        [2, 5, 5, 5, 5, 5],
        [1, 6, 6, 6, 6, 6],
        [2, 6, 6, 6, 6, 6],
    ]
    assert sum(node.step.name == "s0" for node in sweep.plan.nodes) == 2


def test_points_that_come_later_keep_nodes_and_names_as_they_were(
    chain: tuple[Workspace, Callable[..., Path]],
) -> None:
    workspace, write = chain
    sweep = prepare_sweep(workspace, write(added(5, 1, 2)))
    before = sweep.plan
    (key,) = added(5)
    new = sweep.extend([{key: 2}, {key: 3}, {"step.s0.parameters.number": 9}])
    assert sweep.plan.points == (*before.points, *new.points)
    assert sweep.plan.nodes == new.nodes
    assert new.nodes[: len(before.nodes)] == before.nodes
    assert len(new.nodes) == len(before.nodes) + 1 + 6
    assert new.points[0] == before.points[1]


def test_equal_steps_of_another_salt_are_others_and_a_node_says_its_salt(
    chain: tuple[Workspace, Callable[..., Path]],
) -> None:
    workspace, write = chain
    sweep = prepare_sweep(workspace, write({"build.salt": ["", "b"]}))
    assert [node.salt for node in sweep.plan.nodes] == [""] * 6 + ["b"] * 6


def test_what_runs_after_failures_is_shared_only_where_all_before_it_is(workspace: Workspace, folder: Path) -> None:
    base = '[build]\nmodel = "net.onnx"\n[target]\npart = "xc7z020clg400-1"\n'
    # Not what metrics takes, and yet what it would take after a failure.
    key = "step.step_streamline.timeout_s"
    sweep = prepare_sweep(workspace, write_sweep(folder, base, {key: [10, 20]}, "failing.toml"))
    collects = [node for node in sweep.plan.nodes if node.step.entry == "collect"]
    assert len(collects) == 2


@pytest.mark.parametrize(
    ("grid", "more", "words"),
    [
        ({"target.clock_ns": [1, 0]}, "", ['sweep.grid."target.clock_ns" = 0', "must be above 0"]),
        ({"target.target_fps": [1, "fast"]}, "", ['sweep.grid."target.target_fps" = \'fast\'', "a whole number"]),
        ({"target.foo": [1]}, "", ['sweep.grid."target.foo"', "unknown key 'foo' in [target]", "target_fps"]),
        ({"targte.part": ["x"]}, "", ["unknown key 'targte'", "did you mean 'target'"]),
        ({"limits.jobs": [1]}, "", ["a point cannot set limits"]),
        ({"build.output": ["x"]}, "", ["a point cannot set build.output"]),
        ({"build.name": ["x"]}, "", ["a point cannot set build.name"]),
        ({"sweep.max_points": [1]}, "", ["a point cannot set sweep"]),
        ({"target": ["x"]}, "", ["target is a table", '"target.KEY"']),
        ({"step.s9.parameters.number": [1]}, "", ["[step.s9]", "steps: s0", "the point with step.s9"]),
        ({"step.s1.parameters.nmber": [1]}, "", ["no parameter 'nmber'", "did you mean 'number'"]),
        ({"step.s1.parameters.number": [1, 2, "x"]}, "", ["parameters.number = 'x'", "the point with step.s1"]),
        ({"target.clock_ns": []}, "", ['sweep.grid."target.clock_ns": no values']),
        ({"target.clock_ns": list(range(1, 120))}, "", []),
        ({"target.clock_ns": [1]}, '[[sweep.point]]\n"target.foo" = 1\n', ['sweep.point[0]."target.foo"']),
        ({"target.clock_ns": [1]}, "[[sweep.point]]\ntarget.clock_ns = 1\n", ["target is a table"]),
        (
            {"target.clock_ns": [1]},
            '[[sweep.point]]\n"step.s1.parameters.number" = 1\n"step.s1.parameters.number.x" = 1\n',
            ["step.s1.parameters.number.x is inside step.s1.parameters.number"],
        ),
    ],
)  # fmt: skip
def test_what_a_sweep_cannot_set_is_refused_by_file_key_and_choices(
    chain: tuple[Workspace, Callable[..., Path]], grid: dict[str, list[Any]], more: str, words: list[str]
) -> None:
    workspace, write = chain
    path = write(grid, more)
    if not words:
        assert len(prepare_sweep(workspace, path).plan.points) == 119
        return
    with pytest.raises(ConfigError) as caught:
        prepare_sweep(workspace, path)
    told = f"{caught.value.message} -> {caught.value.hint}"
    assert str(path) in told
    for word in words:
        assert word in told


def test_the_base_of_a_sweep_is_the_file_without_it(chain: tuple[Workspace, Callable[..., Path]]) -> None:
    workspace, write = chain
    sweep = prepare_sweep(workspace, write({"target.clock_ns": [1]}), settings=["target.target_fps=7"])
    config = sweep.config_of(sweep.plan.points[0]).config
    assert sweep.loaded.config.sweep is config.sweep is None
    assert (config.target.clock_ns, config.target.target_fps) == (1.0, 7)
    assert msgspec.structs.replace(config, target=sweep.loaded.config.target) == sweep.loaded.config
