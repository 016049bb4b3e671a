"""What passes between a build and its workers, where a store does not answer, and what is heard of running steps."""

from pathlib import Path

from bskernel.cluster.log_buffer import LogBuffer
from bskernel.cluster.transfer import ArtifactTransfer
from bskernel.core.action import ActionResult, action_of
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.store import DiskStore, SharedSettings
from bskernel.store.layered import LayeredStore
from bskernel_protocol import Artifact, OutputLine, Progress
from bskernel_protocol.manifest import LogLine
from msgspec.json import decode

STEP = Step(
    index=0,
    name="fold",
    executor=ExecutorRef(name="e", version="1", digest="d"),
    entry="fold",
    parameters={},
    inputs={},
    outputs=(),
)


def machine(folder: Path, shared: Path) -> LayeredStore:
    settings = SharedSettings(url=str(shared), mode="write-through")
    return LayeredStore(DiskStore(folder), settings, folder, lambda _: None)


def artifact(store: LayeredStore, folder: Path, name: str, media_type: str, text: str) -> Artifact:
    (folder / name).write_text(text)
    return store.capture(folder / name, name, "file", media_type)


def test_of_a_result_the_numbers_and_the_log_come_here_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    here, there = machine(tmp_path / "here", tmp_path / "shared"), machine(tmp_path / "there", tmp_path / "shared")
    model = artifact(there, tmp_path, "model", "application/octet-stream", "big")
    metrics = artifact(there, tmp_path, "metrics", "application/json", "{}")
    result = ActionResult(outputs=(model, metrics), log=there.put(b"log"))
    there.remember(action_of(STEP, {}), result)
    transfer = ArtifactTransfer(here, handed_over=True)
    assert transfer.fetch_result(STEP, StepOutcome(result=result, failure=None, log=b"log")) is None
    local = DiskStore(tmp_path / "here")
    assert result.log is not None
    assert [local.get(digest) for digest in (metrics.digest, result.log, model.digest)] == [b"{}", b"log", None]
    # What a worker made is there for others: it is not looked for here.
    assert transfer.send_inputs(STEP, {"model": model}) is None


def test_no_step_begins_whose_result_nobody_would_get(tmp_path: Path) -> None:
    here = machine(tmp_path / "here", tmp_path / "not-mounted")
    transfer = ArtifactTransfer(here, handed_over=True)
    first = transfer.send_inputs(STEP, {"model": artifact(here, tmp_path, "model", "text/plain", "5")})
    assert first is not None
    assert (first.category, "inputs of step fold cannot be uploaded" in first.message) == ("environment", True)
    second = transfer.send_inputs(STEP, {})
    assert second is not None
    assert "result of step fold could not be uploaded" in second.message
    assert "not-mounted" in "".join(second.cause)


def test_where_workers_have_the_build_s_cache_nothing_is_handed_over(tmp_path: Path) -> None:
    here = machine(tmp_path / "here", tmp_path / "not-mounted")
    given = {"model": artifact(here, tmp_path, "model", "text/plain", "5")}
    assert ArtifactTransfer(here, handed_over=False).send_inputs(STEP, given) is None
    assert here.unreachable is None


def test_what_a_running_step_says_is_its_log_until_it_ends() -> None:
    logs = LogBuffer()
    logs.begin("a")
    logs.add("a", OutputLine(directory="d", stream="stderr", text="one"))
    logs.add("a", Progress(directory="d", text="two"))
    logs.add("other", Progress(directory="d", text="three"))
    lines = [decode(line, type=LogLine) for line in logs.end("a").splitlines()]
    assert [(line.stream, line.text) for line in lines] == [("stderr", "one"), ("progress", "two")]
    assert logs.end("a") == b""
