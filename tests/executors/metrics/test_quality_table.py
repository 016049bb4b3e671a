"""The table of stages, and the words for what is lost between them."""

from typing import Any

from bskernel_executors.exchange.evaluation import StageComparison, StageEvaluation
from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.metrics.model import BuildMetrics
from bskernel_executors.metrics.quality_table import add_accuracy, make_quality_rows, make_quality_table


def stage(name: str, top_1: float | None = None, *steps: str, mismatches: int | None = None, **more: Any) -> Any:
    comparison = None
    if mismatches is not None:
        comparison = StageComparison(
            stage="before",
            by="outputs",
            frames=100,
            mismatches=mismatches,
            largest_difference=1.0,
            expected=more.pop("expected", False),
        )
    return StageEvaluation(
        stage=name, executed_by="qonnx 1.0.0", frames=100, top_1=top_1, steps=steps, comparison=comparison, **more
    )


SIMULATION = Simulation(
    frames=100, mismatches=0, accuracy=0.9, cycles_per_frame=None, estimated_cycles=1, latency_cycles=1,
    total_cycles=1, fifo_maxima={}, fifo_depths={}, fifo_bits=0, streams={},
)  # fmt: skip
STAGES = (
    stage("float", 0.98, k=5, top_k=1.0),
    stage("qonnx", 0.95, "cleanup", mismatches=12, expected=True, k=5, top_k=0.99),
    stage("finn", 0.95, "step_qonnx_to_finn", "step_streamline", mismatches=0, k=5, top_k=0.99),
    stage("hwgraph", 0.90, "step_split", "step_convert_to_hw", mismatches=7, k=5, top_k=0.97),
)


def test_each_stage_has_a_row_with_its_drop_and_mismatches_and_the_simulated_design_the_last() -> None:
    table = make_quality_table(STAGES, SIMULATION)
    assert table["columns"] == ["stage", "executed by", "frames", "top-1", "top-5", "drop", "mismatching frames"]
    assert table["rows"] == [
        ["float", "qonnx 1.0.0", "100", "98.00%", "100.00%", "-", "-"],
        ["qonnx", "qonnx 1.0.0", "100", "95.00%", "99.00%", "+3.00 points", "12 of 100 (quantization)"],
        ["finn", "qonnx 1.0.0", "100", "95.00%", "99.00%", "none", "0 of 100"],
        ["hwgraph", "qonnx 1.0.0", "100", "90.00%", "97.00%", "+5.00 points", "7 of 100"],
        ["rtlsim", "Verilator", "100", "90.00%", "-", "none", "0 of 100"],
    ]


def test_the_place_where_accuracy_drops_is_said_with_the_steps_there() -> None:
    rows = [(row["label"], row["value"], row["note"]) for row in make_quality_rows(STAGES)]
    assert rows == [
        ("accuracy drops", "from 98.00% at float to 95.00% at qonnx (cleanup)", "by cleanup"),
        (
            "accuracy drops",
            "from 95.00% at finn (step_streamline) to 90.00% at hwgraph (step_convert_to_hw)",
            "by step_split or step_convert_to_hw",
        ),
    ]


def test_without_labels_no_accuracy_is_shown_and_no_number_given() -> None:
    stages = (stage("qonnx"), stage("finn", None, "step_streamline", mismatches=0))
    assert make_quality_table(stages, None)["columns"] == ["stage", "executed by", "frames", "mismatching frames"]
    assert make_quality_rows(stages) == []
    assert add_accuracy(BuildMetrics(), stages) == BuildMetrics()


def test_a_stage_that_is_checked_after_several_steps_tells_them_apart() -> None:
    stages = (stage("finn", 0.9, "step_tidy_up"), stage("finn", 0.9, "step_streamline"))
    assert [row[0] for row in make_quality_table(stages, None)["rows"]] == [
        "finn (step_tidy_up)",
        "finn (step_streamline)",
    ]


def test_accuracy_stands_in_the_metrics_by_stage_and_a_stage_of_the_user_s_own_only_in_the_table() -> None:
    metrics = add_accuracy(BuildMetrics(), (*STAGES, stage("mine", 0.5)))
    assert [(value.stage, value.value) for value in metrics.accuracy] == [
        ("float", 0.98),
        ("qonnx", 0.95),
        ("finn", 0.95),
        ("hwgraph", 0.90),
    ]
    assert metrics.accuracy[2].source == "evaluation.json: finn (step_streamline)"


def test_a_metric_of_the_user_s_own_has_a_column_and_stands_in_the_summary() -> None:
    stages = (stage("qonnx", 0.9, metric={"f1": 0.812345678}), stage("finn", 0.9, metric={"f1": 0.8}))
    table = make_quality_table(stages, None)
    assert [row[table["columns"].index("f1")] for row in table["rows"]] == ["0.812346", "0.8"]
    assert make_quality_rows(stages) == [{"label": "f1", "value": "0.8", "note": "finn"}]


def test_a_stage_that_is_not_verified_says_so_in_the_table_and_in_the_summary() -> None:
    stages = [stage("qonnx", 0.9), stage("finn", not_verified="it has 2 inputs"), stage("hwgraph", 0.9, mismatches=0)]
    table = make_quality_table(stages, None)
    assert [row[-1] for row in table["rows"]] == ["-", "NOT VERIFIED", "0 of 100"]
    assert {"label": "not verified", "value": "stage finn", "note": "it has 2 inputs"} in make_quality_rows(stages)
