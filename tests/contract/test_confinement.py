"""What a step cannot do, in either runtime: reach another step, its server, the user's files or a network."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.core.interfaces import Session
from bskernel.execution.step_runner import prepare_step_dir
from bskernel.images.engine import connect
from bskernel.runtime.container import SESSION_LABEL
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import PROTOCOL_VERSION, Artifact, StepManifest, StepResult, decode_document
from support.eventually import eventually

# A container may make no mounts of its own, which keep a step from this in the process runtime.
NOT_PREVENTED = {f"{change} another step's output" for change in ("change a mode of", "change a time of", "mark")}

# In its own slot, whose folders nobody else uses.
OWN_SLOT = {"make its result a pipe", "create a step's folder", "link its log"}


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
        depth = len(Path(name).parts)
        (folder / "in").symlink_to(Path(*[".."] * (depth + 1), self.session.inputs_root.name, name))
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


@pytest.fixture
def waiting(steps: Steps) -> Iterator[Path]:
    """The folder of a step that runs as long as the test."""
    folder = steps.prepare("other", "meet", word="here", until=["go"])
    running = threading.Thread(target=lambda: steps.run("other"))
    running.start()
    eventually(lambda: (steps.session.root / ".here").exists())
    yield folder
    (steps.session.root / ".go").touch()
    running.join()


@pytest.mark.in_both
@pytest.mark.parametrize("slot", ["", "slot/steps/"], ids=["its own folder", "its slot"])
def test_a_hostile_step_reaches_nothing_but(
    slot: str, steps: Steps, waiting: Path, tmp_path: Path, runtime: str
) -> None:
    (tmp_path / "secret").write_text("mine")
    (waiting / "out" / "model").write_text("1")
    steps.prepare(f"{slot}before", "add")
    assert steps.run(f"{slot}before").failure is None
    steps.prepare(f"{slot}hostile", "attempt", other="../../other" if slot else "other", outside=str(tmp_path))
    result = steps.run(f"{slot}hostile")
    assert result.failure is None
    allowed = (OWN_SLOT if slot else set()) | (NOT_PREVENTED if runtime == "docker" else set())
    assert set(result.record["done"]) <= allowed
    assert len(result.record["prevented"]) > 40
    assert (waiting / "out" / "model").read_text() == "1"
    assert (tmp_path / "secret").read_text() == "mine"
    assert not (waiting / "out" / "more").exists()


@pytest.mark.in_both
def test_nobody_else_can_enter_a_session(steps: Steps, waiting: Path) -> None:
    """Not even to run a program that a step of root's leaves with root's rights."""
    program = waiting / "work" / "program"
    program.touch()
    program.chmod(0o4755)
    as_nobody = "import os, sys; os.setgid(65534); os.setuid(65534); os.stat(sys.argv[1])"
    assert stat.S_IMODE(steps.session.root.parent.stat().st_mode) == 0o700
    if os.getuid() == 0:
        done = subprocess.run([sys.executable, "-c", as_nobody, program], capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr


@pytest.mark.parametrize("runtime", [pytest.param("docker", marks=pytest.mark.container)], indirect=True)
def test_a_running_container_is_given_nothing_more_than_it_needs(steps: Steps, waiting: Path) -> None:
    client = connect()
    labels = {"label": f"{SESSION_LABEL}={steps.session.root.parent.name}"}
    (found,) = client.containers(filters=labels)
    facts = client.inspect_container(found["Id"])
    image = client.inspect_image(facts["Image"])  # type: ignore[no-untyped-call]
    client.close()
    host = facts["HostConfig"]
    assert {(item["Type"], item["Source"], item["Destination"], item["RW"]) for item in facts["Mounts"]} == {
        ("bind", str(steps.session.root), "/bskernel/steps", True),
        ("bind", str(steps.session.inputs_root), "/bskernel/inputs", False),
    }
    assert set(host["Tmpfs"]) == {"/bskernel/home", "/tmp"}
    assert all({"nosuid", "nodev"} < set(options.split(",")) for options in host["Tmpfs"].values())
    assert host["ReadonlyRootfs"]
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert facts["Config"]["User"] == f"{os.getuid()}:{os.getgid()}"
    assert (host["NetworkMode"], facts["NetworkSettings"]["Ports"]) == ("none", {})
    assert (host["PidMode"], host["IpcMode"], host["UTSMode"]) == ("", "private", "")
    assert not any(host[key] for key in ("Devices", "DeviceRequests", "VolumesFrom", "Links", "PortBindings"))
    assert host["LogConfig"]["Type"] == "none"
    assert 0 < host["PidsLimit"] <= 4096
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert 0 < host["NanoCpus"] <= 1_000_000_000 * (os.cpu_count() or 1)
    variables = {text.partition("=")[0] for text in facts["Config"]["Env"]}
    own = {text.partition("=")[0] for text in image["Config"]["Env"]}
    assert variables - own == {"HOME", "TMPDIR", "USER", "LOGNAME", "BSKERNEL_SESSION"}
