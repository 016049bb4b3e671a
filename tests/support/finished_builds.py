"""Two kept builds, made by hand, in which everything differs once."""

from typing import Any

from bskernel.core.action import Action
from bskernel.result.comparison import FinishedBuild, FinishedStep
from bskernel_protocol import Artifact, digest_of_bytes


def value(number: float, unit: str, stage: str, source: str = "report.json") -> dict[str, Any]:
    return {"value": number, "unit": unit, "stage": stage, "source": source}


def step(name: str, *, version: str = "1", made: str = "", **parameters: object) -> FinishedStep:
    action = Action(
        protocol=2,
        executor=f"testing@{version}",
        executor_digest=digest_of_bytes(version.encode()).sha256,
        entry=name,
        parameters=parameters,
        inputs={},
        salt="",
    )
    digest = digest_of_bytes((made or action.key.sha256).encode())
    return FinishedStep(
        name=name,
        executor=action.executor,
        status="ran",
        key=action.key.sha256,
        outputs=(Artifact(name="model", kind="file", digest=digest, media_type="application/x-onnx"),),
        action=action,
    )


BASE = FinishedBuild(
    label="builds/main",
    name="digits",
    status="ok",
    steps=(step("tidy"), step("fold", target_fps=100_000), step("lint"), step("report", made="one")),
    config={"target": {"target_fps": 100_000, "part": "xczu7ev|e"}, "build": {"flow": "estimate"}},
    metrics={
        "throughput": [value(200_000.0, "inferences/s", "estimate"), value(195_312.5, "inferences/s", "rtlsim")],
        "latency": [value(12.0, "us", "estimate")],
        "resources": {"LUT": [value(800.0, "count", "estimate")], "URAM": [value(0.0, "count", "estimate")]},
        "utilization": {"LUT": [value(0.01, "fraction", "estimate")]},
        "slack": [value(-0.5, "ns", "routed")],
        "bottleneck": "MVAU_rtl_0",
        "layers": [{"name": "MVAU_rtl_0", "cycles": 1024, "folding": {"PE": 1, "SIMD": 2}}, {"name": "FIFO_0"}],
    },
)
NEW = FinishedBuild(
    label="builds/change",
    name="digits",
    status="ok",
    steps=(step("tidy"), step("fold", target_fps=50_000), step("count", version="2"), step("report", made="two")),
    config={"target": {"target_fps": 50_000, "part": "xczu7ev|e"}, "build": {"flow": "estimate"}},
    metrics={
        "throughput": [value(100_000.0, "inferences/s", "estimate"), value(97_656.25, "inferences/s", "rtlsim")],
        "resources": {
            "LUT": [value(800.0, "count", "estimate"), value(775.0, "count", "synth", "synthesis.json")],
            "URAM": [value(2.0, "count", "estimate")],
        },
        "utilization": {"LUT": [value(0.01, "fraction", "estimate")]},
        "slack": [value(-0.25, "ns", "routed")],
        "bottleneck": "MVAU_rtl_1",
        "layers": [{"name": "FIFO_0"}, {"name": "MVAU_rtl_0", "cycles": 2048, "folding": {"PE": 1, "SIMD": 1}}],
    },
)
