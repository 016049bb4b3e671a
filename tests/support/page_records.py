"""Builds as `bskernel report` reads them, made by hand: one with every part of the page, and hostile names in it."""

from typing import Any

import msgspec
from bskernel.core.model_graph import ModelGraph, ModelNode, ModelTensor
from bskernel.core.step_report import StepReport
from bskernel.report.diff_tables import Table
from bskernel.report.page.build_view import BuildView
from bskernel.report.page.facts import BuildRecord, Download, ReportBase, StepDetail
from bskernel_protocol import Artifact, Failure, digest_of_bytes

from support.finished_builds import value

HOSTILE = "<script>document.title='broken'</script>"
MODEL = Artifact(name="model", kind="file", digest=digest_of_bytes(b"model"), media_type="application/x-onnx")
STEPS = (
    StepReport(name="adapt", executor="qonnx-transform@1", entry="adapt", status="recalled", key="a" * 64),
    StepReport(
        name="fold",
        executor="finn-step@1",
        entry="fold",
        status="ran",
        seconds=2.0,
        key="b" * 64,
        peak_mib=210,
        why=("parameter fps: 1 -> 2", f"input {HOSTILE}: 1a -> 2b"),
        outputs=(MODEL,),
        record={
            "summary": [
                {"label": "folded", "value": f"by {HOSTILE}", "note": "fold"},
                {"label": "warning", "value": "a warning of a step", "note": ""},
            ],
            "tables": [{"title": "folds", "columns": ["layer", "PE"], "rows": [["first", "2"]]}],
        },
        items=(
            StepReport(
                name="fold.one",
                executor="finn-step@1",
                entry="fold",
                status="ran",
                seconds=1.0,
                why=("its result is not in the cache",),
            ),
        ),
    ),
)
LOG = tuple(
    {"timestamp": f"2026-01-02T10:00:{second:06.3f}Z", **event}
    for second, event in (
        (0.0, {"event": "build started"}),
        (0.5, {"event": "step started", "step": "adapt"}),
        (0.6, {"event": "step ended", "step": "adapt"}),
        (1.0, {"event": "step started", "step": "fold"}),
        (1.5, {"event": "step started", "step": "fold.one"}),
        (3.0, {"event": "step ended", "step": "fold.one"}),
        (4.0, {"event": "step ended", "step": "fold"}),
    )
)
METRICS: dict[str, Any] = {
    "format": 1,
    "hardware_share": 0.5,
    "throughput": [value(1000.0, "inferences/s", "estimate"), value(900.0, "inferences/s", "rtlsim")],
    "latency": [value(1577.905, "us", "rtlsim")],
    "clock": [value(200.0, "MHz", "estimate")],
    "resources": {"LUT": [value(100.0, "count", "estimate"), value(500.0, "count", "synth")]},
    "utilization": {"LUT": [value(0.25, "fraction", "estimate"), value(1.25, "fraction", "synth")]},
    "device": {"LUT": 400},
    "bottleneck": "slow",
    "layers": [
        {"name": "first", "cycles": 100, "folding": {"PE": 2}, "resources": {"LUT": 5.0}},
        {
            "name": "slow",
            "cycles": 300,
            "folding": {"PE": 1, "SIMD": 4},
            "bottleneck": True,
            "synthesized": {"LUT": 50},
        },
        {"name": HOSTILE, "cycles": 20, "resources": {"LUT": 1.0}},
    ],
    "raw": {"report.json": {HOSTILE: [1, {"deep": "leaf & more"}], "empty": [], "none": None}},
    "warnings": ["estimates only"],
}
GRAPH = ModelGraph(
    nodes=(
        ModelNode(name="first", operator="MVAU_rtl", inputs=("x", "w"), outputs=("a",)),
        ModelNode(name="fifo", operator="StreamingFIFO_rtl", inputs=("a",), outputs=("b",), attributes={"depth": 32}),
        ModelNode(name="slow", operator="MVAU_rtl", inputs=("b",), outputs=("c",)),
        ModelNode(name=HOSTILE, operator="Add", inputs=("c", "a"), outputs=("y",)),
    ),
    tensors={
        "x": ModelTensor(shape=(1, 64), datatype="UINT4"),
        "w": ModelTensor(shape=(64, 32), datatype="INT4"),
        "a": ModelTensor(shape=(1, 32), datatype="INT12"),
        "y": ModelTensor(shape=(1, 10), datatype="INT8"),
    },
    inputs=("x",),
    outputs=("y",),
    initializers=frozenset({"w"}),
)
CONFUSION = [[10, 2], [0, 8]]


def full_record(**changes: Any) -> BuildRecord:
    """A build with every part that a page can have, but a failure."""
    build = BuildView(
        name=f"digits {HOSTILE}",
        status="ok",
        runtime="process",
        seconds=4.0,
        steps=STEPS,
        artifacts={"model": MODEL},
        metrics=METRICS,
        origin={"model": {"path": "net.onnx", "sha256": "c" * 64}, "bskernel": {"version": "1"}, "executors": {}},
    )
    record = BuildRecord(
        build=build,
        result_sha256="d" * 64,
        metrics=METRICS,
        config={"build": {"flow": "open"}, "target": {"part": "xc7", "clock_ns": 5.0, "target_fps": 800}},
        graph=GRAPH,
        evaluation={"stages": [{"stage": "qonnx", "frames": 20, "top_1": 0.9, "confusion": CONFUSION}]},
        coverage={
            "nodes": [{"name": HOSTILE, "kind": "Mul", "part": "head", "reason": "takes fractions"}],
            "parts": {"head": {"nodes": 1, "macs": 0, "weights": 0}},
        },
        adaptation={"changes": [{"kind": "opset", "names": ["a"], "before": "9", "after": "13", "reason": "old"}]},
        simulation={
            "total_cycles": 1000,
            "frames": 20,
            "mismatches": 0,
            "fifo_maxima": {"fifo": 17},
            "streams": {"fifo -> slow": {"moved": 900, "back_pressure": 50, "starved": 50}},
        },
        folding={
            "objective": "fastest",
            "cycles": 300,
            "latency_cycles": 420,
            "inferences_per_s": 1000.0,
            "budgets": {
                "LUT": {"device": 1000.0, "budget": 500.0, "used": 498.5},
                "DSP": {"device": 10.0, "budget": 0.0, "used": 0.0},
            },
            "certificate": {"next_faster_cycles": 200, "binding": ["LUT"], "with_one_percent_more": {"LUT": 150}},
            "front": [{"cycles": 300, "used": {"LUT": 498.5}}, {"cycles": 600, "used": {"LUT": 250.0}}],
            "layers": [
                {
                    "name": HOSTILE,
                    "cycles": 300,
                    "operator": "MVAU_rtl",
                    "share_of_slowest": 1.0,
                    "cost": {"LUT": 400.0},
                    "choices": 84,
                    "folding": {HOSTILE: {"PE": 2, "ram_style": HOSTILE}},
                }
            ],
            "cost_model": {"MVAU_rtl": {"samples": 45, "median_error": 0.092}},
        },
        log=LOG,
        details={
            "fold": StepDetail(executor_digest="e" * 64, parameters={"fps": HOSTILE}, log="steps/01-fold/log.jsonl")
        },
        downloads=(Download(path="artifacts/a b.onnx", size=2048),),
        base=ReportBase(
            label="build/main",
            tables=(
                Table(title="configuration: 1 key changed", columns=("key", "A", "B"), rows=(("k", "1", HOSTILE),)),
            ),
            reasons={"fold": "parameter fps: 1 -> 2"},
        ),
    )
    return msgspec.structs.replace(record, **changes)


def failed_record() -> BuildRecord:
    """A build that failed in its first step."""
    failure = Failure(
        category="model_load", message=f"no such node {HOSTILE}", cause=("ValueError: bad",), hint="export it again"
    )
    step = StepReport(name="adapt", executor="x@1", entry="adapt", status="failed", seconds=0.1, failure=failure)
    build = BuildView(
        name="broken",
        status="failed",
        runtime="process",
        seconds=0.2,
        steps=(step,),
        failure=failure,
        failed_step="adapt",
        commands=("bskernel explain out adapt",),
    )
    return BuildRecord(build=build, result_sha256="f" * 64, excerpt=("a line of the log",))
