"""Whole messages and documents to damage."""

import struct
from collections.abc import Sequence
from typing import Any

import msgspec
from bskernel.core.action import ActionResult
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    Cancel,
    Failure,
    OutputLine,
    Progress,
    Ready,
    RunStep,
    StepFinished,
    StepManifest,
    StepResult,
    StepStarted,
    TreeFile,
    TreeListing,
    digest_of_bytes,
    encode,
)
from support import onnx_bytes

DIGEST = digest_of_bytes(b"chaos")
MODEL = Artifact(name="model", kind="file", digest=DIGEST, media_type="application/x-onnx")
TREE = Artifact(name="tree", kind="tree", digest=DIGEST)
FAILURE = Failure(category="kernel", message="no RTL", cause=("a", "b"), hint="do", facts={"exit_status": 3})
EVENTS = [
    Ready(protocol=PROTOCOL_VERSION, executor="chaos", version="1"),
    StepStarted(directory="00-add"),
    OutputLine(directory="00-add", stream="stderr", text="a line, é"),
    Progress(directory="00-add", text="layer 3 of 10"),
    StepFinished(directory="00-add", exit_code=-9, peak_mib=12, oom_kills=1),
]
COMMANDS = [RunStep(directory="00-add"), Cancel(directory="00-add")]
LISTING = TreeListing(
    files=(TreeFile(path="a/b.txt", digest=DIGEST), TreeFile(path="run.sh", digest=DIGEST, executable=True))
)
DOCUMENTS = [
    StepManifest(
        protocol=PROTOCOL_VERSION,
        step="add",
        executor="chaos",
        version="1",
        executor_digest=DIGEST.sha256,
        entry="add",
        parameters={"number": 3, "folder": {"PE": [1, 2.5, None, True]}},
        inputs=(MODEL, TREE),
        memory_mib=100,
        tools={"vivado": "2024.2"},
    ),
    StepResult(protocol=PROTOCOL_VERSION, step="add", outputs=("model",), record={"summary": [{"label": "a"}]}),
    StepResult(protocol=PROTOCOL_VERSION, step="add", failure=FAILURE),
    LISTING,
    FAILURE,
]
RESULT = ActionResult(outputs=(MODEL, TREE), record={"added": 3, "summary": []}, log=DIGEST)
BUILD = {
    "name": "sum",
    "status": "ok",
    "steps": [
        {
            "name": "add",
            "executor": "chaos@1",
            "entry": "add",
            "status": "ran",
            "seconds": 0.25,
            "key": DIGEST.sha256,
            "outputs": [msgspec.to_builtins(MODEL)],
            "record": {"added": 3},
        }
    ],
    "metrics": {"weight": [{"value": 1.5, "unit": "bytes", "stage": "estimate", "source": "chaos"}]},
}
CONFIG = {
    "build": {"name": "sum", "model": "number.txt", "flow": "estimate", "output": "build/sum"},
    "target": {"board": "ZCU104", "clock_ns": 5.0, "target_fps": 100_000},
    "quality": {"samples": "samples", "verify": "steps"},
    "store": {"shared": "file:///x", "mode": "read-only", "options": {"a": 1}},
    "limits": {"jobs": 2},
    "flow": {"insert": [{"entry": "chaos:add", "after": "sibling"}], "remove": ["x"]},
    "step": {"add": {"timeout_s": 10, "memory_mib": 100, "parameters": {"number": 2}}},
    "sweep": {"points": [{"target.target_fps": 1}]},
    "tools": {"vivado": {"path": "/tools/vivado"}},
}
TOML = b"""
build.model = "net.onnx"
[target]
board = "ZCU104"
clock_ns = 5.0
[[step]]
entry = "chaos:add"
parameters = { number = 3, names = ["a", 'b', 1979-05-27T07:32:00Z] }
[sweep.values]
"target.target_fps" = { from = 1, to = 10 }
"""
EXPRESSIONS = [
    b"throughput >= 1000 and LUT < 5 %",
    b"not (latency <= 12.5 us or slack < 0 ns)",
    b"rtlsim.throughput / estimate.throughput > 0.9",
    b"when sweep.require and target.part == 'xczu7ev'",
]
ONNX = [
    onnx_bytes.network(),
    onnx_bytes.model(
        onnx_bytes.graph(
            initializers=[onnx_bytes.tensor("w", location="w.bin"), onnx_bytes.tensor("v", raw=b"1234")],
            nodes=[
                onnx_bytes.constant(onnx_bytes.tensor("c", location="c.bin")),
                onnx_bytes.loop(onnx_bytes.graph(initializers=[onnx_bytes.tensor("l", location="l.bin")])),
            ],
        )
    ),
]
YAML = b"""
name: chaos
clock_ns: 5.0
output: bitfile
board: V80
design_space:
  kernels:
    - MVAU: {rtl: 1}
    - Thresholding
  steps:
    - qonnx_to_finn
    - ["fold", "~"]
    - &anchor streamline
    - *anchor
"""
LOG = b'{"seconds":0.1,"stream":"stdout","text":"a line"}\n{"seconds":2,"stream":"progress","text":"at 3"}\n'


def encoded(values: Sequence[Any]) -> list[bytes]:
    """As MessagePack, as the protocol writes."""
    return [encode(value) for value in values]


def framed(messages: Sequence[bytes]) -> bytes:
    """All messages in one stream."""
    return b"".join(b"BSK1" + struct.pack(">I", len(message)) + message for message in messages)


def known_files() -> dict[str, tuple[int | str | None, ...]]:
    """What the cache remembers of files of the user."""
    return {"/a/b": (1, 2, 3, 4, 5, DIGEST.sha256, None), "/c": (0, 0, 0, 0, 0, DIGEST.sha256, None)}
