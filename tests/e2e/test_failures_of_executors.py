"""What users meet in the shipped executors: small real models and files, each wrong in one way, and what is said."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Session
from bskernel.core.step import ExecutorRef
from bskernel.images import ensure_environment
from bskernel.report.terminal import describe_result
from bskernel.result.build_result import BuildResult
from bskernel.runtime.warm.runtime import WarmRuntime
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import Failure
from support.builds import build_text
from support.paths import ROOT, SUPPORT
from support.stitched_design import write_design

REPORTS = ROOT / "tests" / "executors" / "reports"
FINN = "finn-step@finn-plus-1.6.1"
PART = 'part = "xczu7ev-ffvc1156-2-e"'
pytestmark = pytest.mark.env


class SharedRuntime:
    """A runtime whose sessions outlive a build: FINN is imported once for all tests."""

    def __init__(self, runtime: WarmRuntime) -> None:
        self.name = runtime.name
        self.limits_sessions = runtime.limits_sessions
        self.runtime = runtime
        self.sessions: dict[ExecutorRef, Session] = {}

    def prepare(self, executor: ExecutorRef) -> None:
        self.runtime.prepare(executor)

    def open(self, executor: ExecutorRef) -> Session:
        if executor not in self.sessions or self.sessions[executor].over:
            self.sessions[executor] = self.runtime.open(executor)
        return self.sessions[executor]

    def close(self) -> None:
        """When all tests are over."""


class WarmApplication(Workspace):
    """bskernel, with one runtime for all its builds."""

    warm: SharedRuntime | None = None

    def runtime(self, name: str, report: Callable[[str], None], keep_s: float | None = None) -> WarmRuntime:
        if self.warm is None:
            self.warm = SharedRuntime(super().runtime(name, print, keep_s))
        return self.warm  # type: ignore[return-value]


@pytest.fixture(scope="module")
def workspace(environments: Path) -> Iterator[WarmApplication]:
    workspace = WarmApplication(ROOT, environments)
    yield workspace
    if workspace.warm is not None:
        workspace.warm.runtime.close()


@pytest.fixture(scope="module")
def models(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == FINN)
    python = ensure_environment(recipe, environments, print).python
    subprocess.run([str(python), str(SUPPORT / "small_models.py"), str(folder)], check=True)
    (folder / "damaged.onnx").write_bytes((folder / "sound.onnx").read_bytes()[:-40])
    return folder


def failed(result: BuildResult) -> Failure:
    assert result.failure is not None, result.steps
    assert result.failure.message in describe_result(result)
    return result.failure


FLOW = """
[build]
model = "{model}"
flow = "{flow}"
[target]
{target}
[quality]
verify = "off"
[parameters.finn-step]
standalone_thresholds = true
"""


@pytest.mark.parametrize(
    ("model", "step", "category", "rule", "needles"),
    [
        pytest.param(
            "damaged", "cleanup", "model_load", None, ["damaged", "export it again"],
            marks=pytest.mark.provokes("model_load"),
        ),
        pytest.param(
            "unknown-operator", "cleanup", "preprocessing", "unknown-custom-op", ["NoSuchOp"],
            marks=pytest.mark.provokes("preprocessing"),
        ),
        ("no-attribute", "step_tidy_up", "transform", "required-attribute", ["MultiThreshold_0", "out_dtype"]),
        ("zero-point", "step_qonnx_to_finn", "transform", "zero-point", ["Quant Quant_0", "symmetrically"]),
        ("shared-weights", "step_qonnx_to_finn", "transform", "shared-weights", ["Quant Quant_1", "its own"]),
        ("signed-relu", "step_qonnx_to_finn", "transform", "relu-unsigned", ["Relu_0", "signed = 0"]),
        ("scale-of-two-axes", "step_qonnx_to_finn", "transform", "quant-scale-axes", ["Quant_0", "(1, 2, 8, 1)"]),
        ("scale-along-rows", "step_qonnx_to_finn", "transform", "channel-axis", ["Quant Quant_0", "axis 2"]),
        ("five-dimensions", "step_qonnx_to_finn", "transform", "rank", ["reshape it on the host"]),
        (
            "no-defaults", "step_streamline", "transform", "conv-without-defaults",
            ["Conv Conv_0 lacks group and dilations", "group = 1, dilations = [1, 1]"],
        ),
        pytest.param(
            "padded-bipolar", "step_convert_to_hw", "transform", "threshold-scale",
            ["MultiThreshold_0: its output still has a scale", "split_host"],
            marks=pytest.mark.provokes("transform"),
        ),
        ("unmapped", "step_create_dataflow_partition", "transform", "unmapped", ["Elu_0", "Elu Elu_0", "ReLU"]),
        (
            "float-shapes", "step_create_dataflow_partition", "transform", "one-partition",
            ["not hardware: MatMul MatMul_0", "quantized"],
        ),
    ],
)  # fmt: skip
def test_a_network_that_cannot_become_hardware_is_told_by_layer_with_what_to_change(
    workspace: Workspace,
    models: Path,
    tmp_path: Path,
    model: str,
    step: str,
    category: str,
    rule: str | None,
    needles: list[str],
) -> None:
    text = FLOW.format(model=models / f"{model}.onnx", flow="estimate", target=PART)
    result = build_text(workspace, tmp_path, text, step)
    failure = failed(result)
    assert (result.failed_step, failure.category, failure.facts.get("rule")) == (step, category, rule)
    for needle in needles:
        assert needle in f"{failure.message} {failure.hint}"
    assert str(tmp_path) not in " ".join(failure.cause)


@pytest.mark.provokes("config")
def test_a_target_that_is_not_given_is_told_with_the_boards(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target="")
    failure = failed(build_text(workspace, tmp_path, text, "step_specialize_layers"))
    assert failure.category == "config"
    assert failure.facts["exception"] == "finn.util.exception.FINNConfigurationError"
    assert "set target.part" in str(failure.hint)
    assert "ZCU104" in str(failure.hint)


def test_a_folding_of_the_wrong_type_is_told_by_layer_and_key(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "folding.json").write_text('{"Defaults": {}, "MVAU_hls_0": {"PE": "2"}}')
    text = FLOW.format(model=models / "sound.onnx", flow="estimate", target=PART)
    text += '[step.step_apply_folding_config.inputs]\nfolding_config = "folding.json"\n'
    failure = failed(build_text(workspace, tmp_path, text, "step_apply_folding_config"))
    assert failure.category == "config"
    assert failure.hint == "PE of MVAU_hls MVAU_hls_0 must be of type int, but the config has type str"


@pytest.mark.provokes("kernel")
def test_a_layer_that_exists_in_hls_alone_is_refused_by_name_in_the_flow_without_hls(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    text = FLOW.format(model=models / "sound.onnx", flow="rtl", target=PART)
    text += '[step.prefer.parameters]\nlayers = { MVAU_0 = "hls" }\n'
    failure = failed(build_text(workspace, tmp_path, text, "insert_deep_fifos"))
    assert failure.category == "kernel"
    assert "MVAU_hls_0 (MVAU_hls)" in failure.message
    assert "needs Vitis HLS" in failure.message


def one_step(entry: str, more: str) -> str:
    return f'[build]\nmodel = "model.onnx"\n[target]\n{PART}\n[[step]]\nname = "only"\nentry = "{entry}"\n{more}\n'


def test_a_step_that_needs_vivado_says_so_before_it_begins(
    workspace: Workspace, models: Path, tmp_path: Path
) -> None:
    shutil.copy(models / "sound.onnx", tmp_path / "model.onnx")
    with pytest.raises(EnvironmentLacking, match=r"step only needs vitis_hls.*tools\.vitis_hls\.path") as caught:
        build_text(workspace, tmp_path, one_step("finn-step:step_set_fifo_depths", ""))
    assert caught.value.exit_code == 4


def finn_output(tmp_path: Path, **reports: str) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "output" / "report").mkdir(parents=True)
    for name, text in reports.items():
        (tmp_path / "output" / "report" / name.replace("__", ".")).write_text(text)


@pytest.mark.provokes("metrics")
def test_a_damaged_report_is_named(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path, estimate_layer_cycles__json='{"MVAU_rtl_0": 10')
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", 'inputs = { output = "output" }')))
    assert failure.category == "metrics"
    assert "report/estimate_layer_cycles.json is not readable JSON" in failure.message


@pytest.mark.provokes("timing")
def test_a_clock_that_must_be_met_and_is_not_says_which_would_be(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path, post_route_timing__rpt=(REPORTS / "artix7_timing_summary.rpt").read_text())
    wanted = 'inputs = { output = "output" }\nparameters = { require_timing = true }'
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", wanted)))
    assert failure.category == "timing"
    assert "the worst slack is -3.463 ns (report/post_route_timing.rpt) at a clock period of 5 ns" in failure.message
    assert "would meet 8.463 ns" in str(failure.hint)
    assert build_text(workspace, tmp_path, one_step("metrics:collect", wanted.splitlines()[0])).status == "ok"


def test_a_clock_that_must_be_met_and_was_never_looked_at_is_no_success(workspace: Workspace, tmp_path: Path) -> None:
    finn_output(tmp_path)
    wanted = 'inputs = { output = "output" }\nparameters = { require_timing = true }'
    failure = failed(build_text(workspace, tmp_path, one_step("metrics:collect", wanted)))
    assert failure.category == "metrics"
    assert "no report says whether the clock is met" in failure.message


@pytest.mark.provokes("synthesis")
def test_a_design_that_is_broken_is_told_by_the_synthesiser_s_first_error(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "rtl" / "mem").mkdir(parents=True)
    text = "module bskernel_top(input logic clk); nowhere u(.clk(clk)); endmodule\n"
    (tmp_path / "rtl" / "top.sv").write_text(text)
    (tmp_path / "rtl" / "mem" / "none.dat").write_text("0\n")
    write_design(tmp_path / "rtl")
    failure = failed(build_text(workspace, tmp_path, one_step("yosys-synth:synthesize", 'inputs = { rtl = "rtl" }')))
    assert failure.category == "synthesis"
    assert "unknown module 'nowhere'" in failure.message
    assert "top.sv:1" in failure.cause[0]
