"""What a step cannot do, in either runtime: reach another step, its server, the user's files or a network."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.core.interfaces import Session
from bskernel.execution.step_runner import prepare_step_dir
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import PROTOCOL_VERSION, Artifact, StepManifest, StepResult, decode_document
from support.eventually import eventually

pytestmark = pytest.mark.in_both


class Steps:
    """Runs steps in one session."""

    def __init__(self, workspace: Workspace, session: Session, model: Artifact) -> None:
        self.workspace, self.session, self.model = workspace, session, model

    def prepare(self, name: str, entry: str, **parameters: object) -> Path:
        executor = self.workspace.executors.known[0].ref
        manifest = StepManifest(
            protocol=PROTOCOL_VERSION, step=name, executor=executor.name, version=executor.version,
            executor_digest=executor.digest, entry=entry, parameters=parameters, inputs=(self.model,),
        )  # fmt: skip
        folder, given = self.session.root / name, self.session.inputs_root / name
        assert prepare_step_dir(self.workspace.store, manifest, folder, given) is None
        (folder / "in").symlink_to(Path("..", "..", given.parent.name, given.name))
        return folder

    def run(self, name: str) -> StepResult:
        ended = self.session.run(name, timeout_s=60, on_event=lambda _: None)
        assert ended.failure is None
        result = decode_document((self.session.root / name / "result.msgpack").read_bytes())
        assert isinstance(result, StepResult)
        return result


@pytest.fixture
def steps(root: Path, cache: Path, runtime: str, tmp_path: Path) -> Iterator[Steps]:
    workspace = Workspace(root, cache)
    executor = workspace.executors.known[0].ref
    opened = workspace.runtime(runtime, print, None)
    opened.prepare(executor)
    (tmp_path / "number").write_text("5")
    yield Steps(workspace, opened.open(executor), workspace.store.capture(tmp_path / "number", "model", "file", "x"))
    opened.close()


def test_a_hostile_step_reaches_nothing_but_its_own_folder(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    other = steps.prepare("other", "meet", word="here", until=["go"])
    running = threading.Thread(target=lambda: steps.run("other"))
    running.start()
    eventually(lambda: (steps.session.root / ".here").exists())
    (other / "out" / "model").write_text("1")
    steps.prepare("hostile", "attempt", other="other", outside=str(tmp_path))
    result = steps.run("hostile")
    (steps.session.root / ".go").touch()
    running.join()
    assert result.failure is None
    assert result.record["done"] == []
    assert len(result.record["prevented"]) > 40
    assert (other / "out" / "model").read_text() == "1"
    assert (tmp_path / "secret").read_text() == "mine"
    assert not (other / "out" / "more").exists()
