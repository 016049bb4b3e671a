"""The wire form of protocol version 2: one golden file for each thing that crosses the boundary.

A change here breaks executors that are built already: it needs a new protocol version.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.config.reader import config_schema
from bskernel_protocol import (
    Alive,
    Artifact,
    Cancel,
    Failure,
    LogLine,
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
    canonical_bytes,
    decode_command,
    decode_document,
    decode_event,
    digest_of_bytes,
    pretty_json,
)
from bskernel_protocol.schema import protocol_schema

GOLDEN = Path(__file__).with_name("golden")
DIGEST = digest_of_bytes(b"onnx")
DOCUMENTS: dict[str, Any] = {
    "step-manifest": StepManifest(
        protocol=2,
        step="step_tidy_up",
        executor="finn-step",
        version="finn-plus-1.6.1",
        executor_digest="0" * 64,
        entry="step_tidy_up",
        parameters={"target_fps": 100000, "synth_clk_period_ns": 5.0, "board": None, "names": ["a", "b"]},
        inputs=(
            Artifact(name="model", kind="file", digest=DIGEST, media_type="application/x-onnx"),
            Artifact(name="state", kind="tree", digest=DIGEST),
        ),
        memory_mib=2048,
    ),
    "step-result": StepResult(protocol=2, step="step_tidy_up", outputs=("model",), record={"nodes_after": 7}),
    "step-result-failed": StepResult(
        protocol=2,
        step="step_tidy_up",
        failure=Failure(
            category="transform",
            message="m",
            cause=("a.py:3 in f", "ValueError: v"),
            hint="h",
            facts={"exception": "ValueError"},
        ),
    ),
    "tree-listing": TreeListing(files=(TreeFile(path="a/b.v", digest=DIGEST, executable=True),)),
}
COMMANDS: dict[str, Any] = {
    "run-step": RunStep(directory="03-step_tidy_up"),
    "cancel": Cancel(directory="03-step_tidy_up"),
}
EVENTS: dict[str, Any] = {
    "ready": Ready(protocol=2, executor="finn-step", version="finn-plus-1.6.1"),
    "step-started": StepStarted(directory="03-step_tidy_up"),
    "output-line": OutputLine(directory="03-step_tidy_up", stream="stderr", text="a warning"),
    "progress": Progress(directory="03-step_tidy_up", text="streamlining"),
    "step-finished": StepFinished(directory="03-step_tidy_up", exit_code=-9),
    "alive": Alive(),
}


@pytest.mark.parametrize(
    ("name", "value", "decode"),
    [
        *((name, value, decode_document) for name, value in DOCUMENTS.items()),
        *((name, value, decode_command) for name, value in COMMANDS.items()),
        *((name, value, decode_event) for name, value in EVENTS.items()),
    ],
)
def test_the_wire_form_of_version_2_does_not_change(name: str, value: Any, decode: Any) -> None:
    golden = (GOLDEN / f"{name}.msgpack").read_bytes()
    assert canonical_bytes(value) == golden
    assert decode(golden) == value


def test_the_wire_form_of_a_log_line_does_not_change() -> None:
    line = LogLine(seconds=0.25, stream="progress", text="streamlining")
    assert msgspec.json.encode(line) == (GOLDEN / "log-line.json").read_bytes().strip()


def test_the_published_schemas_are_those_of_the_types() -> None:
    assert pretty_json(protocol_schema()) == (GOLDEN / "protocol.schema.json").read_text()
    assert config_schema() == (GOLDEN / "config.schema.json").read_text()


def test_every_golden_file_is_named_by_a_test() -> None:
    named = {f"{name}.msgpack" for name in (*DOCUMENTS, *COMMANDS, *EVENTS)}
    named |= {"log-line.json", "protocol.schema.json", "config.schema.json"}
    assert {path.name for path in GOLDEN.iterdir()} == named


def test_the_schema_defines_each_message() -> None:
    kinds = {type(value).__name__ for value in (*DOCUMENTS.values(), *COMMANDS.values(), *EVENTS.values())}
    assert kinds <= json.loads(pretty_json(protocol_schema()))["$defs"].keys()
