"""Sessions that stay ready between runs: used, lost, taken down, out of date; whatever happens, nothing is left."""

import contextlib
import io
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect
from bskernel.runtime.container import SESSION_LABEL
from bskernel.runtime.session_dirs import processes_of
from bskernel.runtime.warm.client import request_status
from bskernel.runtime.warm.messages import DaemonRecord, LeaseRequest, Request, StatusRequest, VitalSignsRequest
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry
from bskernel_executors.sdk.heartbeat import state_of
from bskernel_protocol import write_frame
from support.builds import result_of, statuses, write
from support.eventually import eventually
from support.paths import BSKERNEL

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[target]
target_fps = 3
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
"""
LINGER = """
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:linger"
parameters = {{ session = "{session}" }}
"""
TWO_LINGER = """
[build]
name = "sum"
model = "number.txt"
""" + "".join(
    f"""
[[step]]
name = "{name}"
entry = "testing:linger"
inputs = {{{{ model = "number.txt" }}}}
parameters = {{{{ session = "{{session}}" }}}}
"""
    for name in ("one", "other")
)
LIMIT_S = 60  # for what should take a second


def containers_of(session: str) -> list[str]:
    try:
        client = connect()
    except EnvironmentLacking:
        return []
    found = client.containers(all=True, filters={"label": f"{SESSION_LABEL}={session}"})
    client.close()
    return [container["Id"] for container in found]


def server_of(session: str) -> int:
    """The first of its processes; numbers begin anew at the system's largest, so the lowest may be a later one."""

    def started(pid: int) -> tuple[int, int]:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]), pid

    return min(processes_of(session), key=started)


def kept_in(cache: Path) -> list[DaemonRecord]:
    return [kept for _, kept in SessionRegistry(cache).all()]


def the_kept(cache: Path) -> DaemonRecord:
    (kept,) = kept_in(cache)
    return kept


def wait_for_end(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], LIMIT_S)[0], f"process {pid} still runs"
    finally:
        os.close(pidfd)


def groups_of(session: str) -> set[int]:
    """Of a session: the groups of its supervisor, its server, and of each step, also of one that is awaited."""
    groups = set()
    for pid in processes_of(session):
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(pid))
    return groups


def assert_nothing_is_left(cache: Path, kept: DaemonRecord) -> None:
    assert not kept.keeper.alive
    assert processes_of(kept.session) == []
    assert containers_of(kept.session) == []
    assert kept_in(cache) == []
    assert list((cache / "sessions").iterdir()) == []


@pytest.fixture
def cli(cli: Any, cache: Path) -> Iterator[Any]:
    """As a user calls it; no keeper outlives a test, also one that failed."""
    yield cli
    left = kept_in(cache)
    cli("down")
    assert not any(kept.keeper.alive for kept in left)


@pytest.fixture
def up(cli: Any, cache: Path) -> DaemonRecord:
    """A session of the testing executor that is kept."""
    done = cli("up", "testing")
    assert done.returncode == 0, done.stderr
    return the_kept(cache)


class Run:
    """A run whose step, or steps, linger in a kept session until that is lost."""

    def __init__(
        self, folder: Path, surroundings: dict[str, str], kept: DaemonRecord, config: str = LINGER, steps: int = 1
    ) -> None:
        self.folder = folder
        config = write(folder, config.format(session=kept.session))
        self.process = subprocess.Popen(
            [BSKERNEL, "run", config, "--fresh", "--verbose", "--jobs", "2"],
            env=surroundings, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.events = ""
        for _ in range(steps):
            self.read_until("lingering")

    def read_until(self, words: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.events += line
            if words in line:
                return
        raise AssertionError(self.events)

    def wait(self) -> int:
        assert self.process.stderr is not None
        if not self.process.stderr.closed:
            self.events += self.process.stderr.read()
            self.process.stderr.close()
        return self.process.wait(timeout=LIMIT_S)


@pytest.fixture
def lingering(tmp_path: Path, surroundings: dict[str, str], up: DaemonRecord) -> Iterator[Run]:
    run = Run(tmp_path, surroundings, up)
    yield run
    run.process.kill()
    run.wait()


def framed(request: Request) -> bytes:
    frame = io.BytesIO()
    write_frame(frame, msgspec.json.encode(request))
    return frame.getvalue()


def status_of(entry: SessionEntry) -> str:
    status = request_status(entry)
    return status.state if status is not None else "gone"


def test_clients_that_say_nothing_stop_in_mid_frame_or_take_no_answer_end_and_hold_up_nobody(
    cli: Any, up: DaemonRecord, tmp_path: Path, cache: Path
) -> None:
    ((entry, _),) = SessionRegistry(cache).all()
    eventually(lambda: status_of(entry) == "idle")
    with contextlib.ExitStack() as clients:
        silent, torn, torn_lease, greedy = (clients.enter_context(entry.connect()) for _ in range(4))
        torn.sendall(framed(StatusRequest())[:-1])
        torn_lease.sendall(framed(LeaseRequest()))
        torn_lease.sendall(framed(VitalSignsRequest())[:-1])
        greedy.setblocking(False)
        with contextlib.suppress(OSError):
            while True:  # until the system holds no more questions, as it holds no more answers
                greedy.send(framed(StatusRequest()) * 100)
        assert status_of(entry) == "in use"
        done = cli("run", write(tmp_path, CONFIG))
        assert done.returncode == 0, done.stderr
        torn_lease.settimeout(LIMIT_S)
        while torn_lease.recv(1 << 16):
            pass
        for client in (silent, torn):
            client.settimeout(LIMIT_S)
            assert client.recv(1) == b""
        eventually(lambda: status_of(entry) == "idle")
        # Its file of the keeper's end closes with the client that takes no answers.
        greedy.setblocking(True)
        greedy.settimeout(LIMIT_S)
        with contextlib.suppress(ConnectionResetError):
            while greedy.recv(1 << 16):
                pass
    assert the_kept(cache) == up


def test_a_stopped_client_holds_up_nobody(cli: Any, up: DaemonRecord, tmp_path: Path, cache: Path) -> None:
    ((entry, _),) = SessionRegistry(cache).all()
    code = "import os, signal, sys; os.write(3, sys.stdin.buffer.read()); os.kill(os.getpid(), signal.SIGSTOP)"
    with entry.connect() as connection:
        command = [sys.executable, "-c", code.replace("3,", f"{connection.fileno()},")]
        stopped = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[connection.fileno()])
    try:
        assert stopped.stdin is not None
        stopped.stdin.write(framed(StatusRequest())[:-1])
        stopped.stdin.close()
        eventually(lambda: state_of(stopped.pid) == "T")
        assert cli("run", write(tmp_path, CONFIG)).returncode == 0
        assert cli("down").returncode == 0
        assert_nothing_is_left(cache, up)
    finally:
        stopped.kill()
        stopped.wait()


def test_a_keeper_that_is_out_of_files_takes_clients_again_when_there_are_some(up: DaemonRecord, cache: Path) -> None:
    ((entry, _),) = SessionRegistry(cache).all()
    eventually(lambda: status_of(entry) == "idle")
    opened = Path(f"/proc/{up.keeper.pid}/fd")
    held = len(list(opened.iterdir()))
    before = resource.prlimit(up.keeper.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(up.keeper.pid, resource.RLIMIT_NOFILE, (held + 2, before[1]))
    with contextlib.ExitStack() as clients:
        for _ in range(6):
            clients.enter_context(entry.connect())
        eventually(lambda: len(list(opened.iterdir())) >= held + 2)
        assert request_status(entry) is not None
    resource.prlimit(up.keeper.pid, resource.RLIMIT_NOFILE, before)
    eventually(lambda: status_of(entry) == "idle")


@pytest.mark.in_both
def test_runs_use_what_is_up_and_make_the_same_bytes(cli: Any, tmp_path: Path, cache: Path) -> None:
    config = write(tmp_path, CONFIG)
    assert cli("run", config).returncode == 0
    cold = [step["outputs"] for step in result_of(tmp_path / "build" / "sum")["steps"]]
    assert kept_in(cache) == []
    assert cli("up", config).returncode == 0
    kept = the_kept(cache)
    for _ in range(2):
        done = cli("run", config, "--fresh")
        assert "a warm session" in done.stderr
        assert [step["outputs"] for step in result_of(tmp_path / "build" / "sum")["steps"]] == cold
        assert [path.name for path in (cache / "sessions").iterdir()] == [kept.session]
        assert list((cache / "sessions" / kept.session / "steps").iterdir()) == []
        assert list((cache / "sessions" / kept.session / "inputs").iterdir()) == []
    assert the_kept(cache) == kept


@pytest.mark.in_both
def test_a_run_keeps_its_sessions_for_as_long_as_it_is_told(cli: Any, tmp_path: Path, cache: Path) -> None:
    config = write(tmp_path, CONFIG)
    assert cli("run", config, "--keep-warm", "1h30m").returncode == 0
    kept = the_kept(cache)
    assert "1 h 30 min" in cli("up").stdout
    assert "a warm session" in cli("run", config, "--fresh", "--keep-warm", "2h").stderr
    assert the_kept(cache) == kept
    (told,) = json.loads(cli("up", "--json").stdout)
    assert (told["executor"], told["state"], told["keeps_s"]) == ("testing@1", "idle", 7200)
    assert told["memory_mib"] > 10


@pytest.mark.in_both
def test_what_nobody_uses_ends_when_its_time_is_over(cli: Any, cache: Path) -> None:
    assert cli("up", "testing").returncode == 0
    kept = the_kept(cache)
    assert cli("up", "testing", "--for", "0.2s").returncode == 0
    wait_for_end(kept.keeper.pid)
    assert_nothing_is_left(cache, kept)
    assert cli("up").stdout == "no warm sessions\n"


@pytest.mark.in_both
def test_nothing_survives_down(cli: Any, up: DaemonRecord, cache: Path) -> None:
    assert processes_of(up.session)
    done = cli("down", "testing")
    assert done.stdout.startswith("testing@1 ("), done.stderr
    assert_nothing_is_left(cache, up)
    assert cli("down").stdout == ""


@pytest.mark.in_both
def test_a_keeper_that_is_terminated_leaves_nothing(up: DaemonRecord, cache: Path) -> None:
    os.kill(up.keeper.pid, signal.SIGTERM)
    wait_for_end(up.keeper.pid)
    assert_nothing_is_left(cache, up)


@pytest.mark.in_both
def test_a_run_whose_session_is_taken_down_goes_on_in_its_own(
    cli: Any, up: DaemonRecord, lingering: Run, tmp_path: Path, cache: Path
) -> None:
    assert "in use" in cli("up").stdout
    assert cli("down").returncode == 0
    assert not up.keeper.alive
    assert processes_of(up.session) == []
    assert lingering.wait() == 0, lingering.events
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["ran", "ran"]
    assert (tmp_path / "build" / "sum" / "artifacts" / "model").read_text() == "10"
    assert_nothing_is_left(cache, up)


@pytest.mark.in_both
def test_a_run_whose_keeper_is_killed_goes_on_in_its_own_session(
    cli: Any, up: DaemonRecord, lingering: Run, tmp_path: Path, cache: Path
) -> None:
    os.kill(up.keeper.pid, signal.SIGKILL)
    assert lingering.wait() == 0, lingering.events
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["ran", "ran"]
    assert processes_of(up.session) == []
    assert containers_of(up.session) == []
    assert cli("run", write(tmp_path, CONFIG), "--fresh").returncode == 0
    assert_nothing_is_left(cache, up)


@pytest.mark.in_both
def test_a_killed_keeper_takes_its_server_with_it_and_the_next_up_replaces_it(
    cli: Any, up: DaemonRecord, cache: Path
) -> None:
    os.kill(up.keeper.pid, signal.SIGKILL)
    for pid in processes_of(up.session):
        wait_for_end(pid)
    assert cli("up").stdout == "no warm sessions\n"
    assert cli("up", "testing").returncode == 0
    new = the_kept(cache)
    assert new.session != up.session
    assert [path.name for path in (cache / "sessions").iterdir()] == [new.session]
    assert containers_of(up.session) == []


@pytest.mark.in_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_the_step_of_a_run_that_ends_early_is_ended_and_its_session_used_again(
    cli: Any, up: DaemonRecord, lingering: Run, tmp_path: Path, cache: Path, signum: signal.Signals
) -> None:
    lingering.process.send_signal(signum)
    assert lingering.wait() == (-9 if signum == signal.SIGKILL else 130)
    done = cli("run", write(tmp_path, CONFIG), "--fresh")
    assert done.returncode == 0
    assert "a warm session" in done.stderr
    assert the_kept(cache) == up
    eventually(lambda: len(groups_of(up.session)) <= 3)  # a process waits two seconds for another step
    assert list((cache / "sessions" / up.session / "steps").iterdir()) == []


@pytest.fixture
def both_lingering(tmp_path: Path, surroundings: dict[str, str], up: DaemonRecord) -> Iterator[Run]:
    run = Run(tmp_path, surroundings, up, TWO_LINGER, steps=2)
    yield run
    run.process.kill()
    run.wait()


@pytest.mark.in_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_each_step_of_a_run_that_ends_early_is_ended_and_the_session_used_again(
    cli: Any, up: DaemonRecord, both_lingering: Run, tmp_path: Path, cache: Path, signum: signal.Signals
) -> None:
    both_lingering.process.send_signal(signum)
    assert both_lingering.wait() == (-9 if signum == signal.SIGKILL else 130)
    assert "a warm session" in cli("run", write(tmp_path, CONFIG), "--fresh").stderr
    assert the_kept(cache) == up
    eventually(lambda: len(groups_of(up.session)) <= 3)  # a process waits two seconds for another step
    assert list((cache / "sessions" / up.session / "steps").iterdir()) == []


@pytest.mark.in_both
@pytest.mark.parametrize("keeper_is_killed", [False, True])
def test_steps_that_ran_at_once_in_a_lost_session_run_at_once_in_one_other(
    cli: Any, up: DaemonRecord, both_lingering: Run, tmp_path: Path, cache: Path, keeper_is_killed: bool
) -> None:
    if keeper_is_killed:
        os.kill(up.keeper.pid, signal.SIGKILL)
    else:
        assert cli("down").returncode == 0
    assert both_lingering.wait() == 0, both_lingering.events
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["ran", "ran"]
    assert both_lingering.events.count("its warm session is gone; a new one is started") == 1
    assert "runs again alone" not in both_lingering.events
    assert processes_of(up.session) == []
    assert containers_of(up.session) == []
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.in_both
def test_a_server_that_is_killed_is_a_crash_of_the_step_and_ends_its_keeper(
    cli: Any, up: DaemonRecord, lingering: Run, tmp_path: Path, cache: Path
) -> None:
    os.kill(server_of(up.session), signal.SIGKILL)
    assert lingering.wait() == 3
    failure = result_of(tmp_path / "build" / "sum")["failure"]
    assert failure["category"] == "crash"
    wait_for_end(up.keeper.pid)
    assert_nothing_is_left(cache, up)
    assert cli("run", write(tmp_path, CONFIG), "--fresh").returncode == 0


@pytest.mark.in_both
def test_an_idle_server_that_is_killed_is_not_missed(cli: Any, up: DaemonRecord, tmp_path: Path, cache: Path) -> None:
    os.kill(server_of(up.session), signal.SIGKILL)
    wait_for_end(up.keeper.pid)
    assert_nothing_is_left(cache, up)
    assert cli("run", write(tmp_path, CONFIG), "--fresh").returncode == 0


@pytest.mark.in_both
def test_a_second_run_at_once_starts_its_own_and_keeps_nothing_more(
    cli: Any, up: DaemonRecord, lingering: Run, tmp_path: Path, cache: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    done = cli("run", write(other, CONFIG), "--fresh", "--keep-warm", "1h", "--output", str(other / "build" / "sum"))
    assert done.returncode == 0, done.stderr
    assert "its warm session is in use" in done.stderr
    assert lingering.process.poll() is None
    assert the_kept(cache) == up
    assert [path.name for path in (cache / "sessions").iterdir()] == [up.session]


@pytest.mark.in_both
def test_a_step_that_hangs_is_ended_at_its_limit_and_the_session_stays(
    cli: Any, up: DaemonRecord, tmp_path: Path, cache: Path
) -> None:
    config = write(tmp_path, LINGER.format(session=up.session) + "timeout_s = 0.5\n")
    assert cli("run", config, "--fresh").returncode == 3
    assert result_of(tmp_path / "build" / "sum")["failure"]["category"] == "timeout"
    assert "a warm session" in cli("run", write(tmp_path, CONFIG), "--fresh").stderr
    assert the_kept(cache) == up


@pytest.mark.in_both
def test_garbage_on_the_channel_is_told_as_ever_and_ends_the_session(
    cli: Any, up: DaemonRecord, tmp_path: Path, cache: Path
) -> None:
    text = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:spoil-channel"\n'
    done = cli("run", write(tmp_path, text))
    assert done.returncode == 3
    assert result_of(tmp_path / "build" / "sum")["failure"]["cause"][0] == "a library's progress bar"
    wait_for_end(up.keeper.pid)
    assert_nothing_is_left(cache, up)


@pytest.fixture
def changing(root: Path, tmp_path: Path, surroundings: dict[str, str]) -> Path:
    """The image.toml of a checkout of the test's own."""
    checkout = tmp_path / "checkout"
    shutil.copytree(root, checkout, symlinks=True)
    surroundings["BSKERNEL_ROOT"] = str(checkout)
    return checkout / "images" / "testing" / "1" / "image.toml"


@pytest.mark.in_both
def test_a_session_of_another_recipe_is_not_used_and_ends(
    changing: Path, cli: Any, tmp_path: Path, cache: Path, environments: Path
) -> None:
    assert cli("up", "testing").returncode == 0
    old = the_kept(cache)
    changing.write_text(changing.read_text() + '\n[environment]\nCOLOUR = "blue"\n')
    done = cli("run", write(tmp_path, CONFIG), "--fresh")
    assert done.returncode == 0, done.stderr
    assert "ending its warm session, which belongs to another recipe" in done.stderr
    wait_for_end(old.keeper.pid)
    assert_nothing_is_left(cache, old)


def test_a_build_that_is_cached_starts_and_uses_nothing(cli: Any, tmp_path: Path, cache: Path) -> None:
    config = write(tmp_path, CONFIG)
    assert cli("run", config).returncode == 0
    assert cli("run", config, "--keep-warm", "1h").returncode == 0
    assert result_of(tmp_path / "build" / "sum")["runtime"] == "none"
    assert kept_in(cache) == []


def test_an_executor_that_cannot_start_says_why(changing: Path, cli: Any, cache: Path) -> None:
    changing.write_text(changing.read_text() + '\n[environment]\nTESTING_BROKEN = "1"\n')
    done = cli("up", "testing")
    assert done.returncode == 4
    assert "libnothing.so.1" in done.stderr
    assert kept_in(cache) == []


def test_a_folder_that_others_may_enter_is_not_trusted(cli: Any, tmp_path: Path, cache: Path) -> None:
    (cache / "kept").mkdir()
    (cache / "kept").chmod(0o755)
    done = cli("up", "testing")
    assert done.returncode == 4
    assert re.search(r"kept must be a folder that only this user can access", done.stderr)
    assert cli("run", write(tmp_path, CONFIG), "--keep-warm", "1h").returncode == 0
    (cache / "kept").rmdir()


@pytest.mark.parametrize("text", ["10", "0s", "-1m", "m", "1m 30s", "1d"])
def test_a_wrong_duration_is_refused_with_examples(cli: Any, text: str) -> None:
    done = cli("up", "testing", f"--for={text}")
    assert done.returncode == 2
    assert "90s, 10m or 1h30m" in done.stderr


def test_an_unknown_executor_is_refused_with_the_choices(cli: Any) -> None:
    for command in ("up", "down"):
        done = cli(command, "tesing")
        assert done.returncode == 2
        assert "testing" in done.stderr
