"""What a step's process gives up, in a child of the test: by version of Landlock, with tools, without Landlock."""

import fcntl
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.sdk import landlock
from bskernel_executors.sdk.confinement import Confinement, step_rights
from bskernel_executors.sdk.mount_view import enter_view

needs_landlock = pytest.mark.skipif(landlock.landlock_version() == 0, reason="this system has no Landlock")


def in_child(function: Callable[[], Any]) -> Any:
    """The function's value, as JSON, from a child that ends afterwards."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        data = stream.read()
    os.waitpid(pid, 0)
    return json.loads(data)


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return True
    return False


def may_make_mounts() -> bool:
    """Whether this user may have a view of the files of its own, as containers do not allow."""
    return bool(in_child(lambda: enter_view()))


@pytest.fixture
def step(tmp_path: Path) -> Path:
    folder = tmp_path / "steps" / "00-step"
    for name in ("in", "out", "work"):
        (folder / name).mkdir(parents=True)
    return folder


def confined(
    step: Path, function: Callable[[], Any], *, tools: bool = False, environment: Mapping[str, str] = os.environ
) -> Any:
    """What the function returns in a confined child, after what is not prevented."""
    session = {**environment, "BSKERNEL_TOOL_FOLDERS": "/opt"} if tools else environment
    confinement = Confinement(session, step.parent)

    def run() -> Any:
        confinement.prepare()
        return [confinement.apply(step, tools=tools), function()]

    try:
        return in_child(run)
    finally:
        confinement.close()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@needs_landlock
@pytest.mark.parametrize("version", range(1, landlock.landlock_version() + 1))
def test_each_version_of_landlock_confines_files(version: int, step: Path) -> None:
    outside = step.parent / "outside"

    def run() -> dict[str, bool]:
        landlock.forbid_new_privileges()
        ruleset = landlock.Ruleset(version, tcp=False)
        for path, rights in step_rights(step).items():
            ruleset.allow(path, rights)
        ruleset.enforce()
        own = step / "out" / "model"
        return {
            "outside": refused(outside.touch),
            "own": refused(own.touch),
            "link in the step's folder": refused(lambda: (step / "log.jsonl").symlink_to("x")),
            "link in its outputs": refused(lambda: (step / "out" / "link").symlink_to("model")),
            "move within it": refused(lambda: own.rename(step / "work" / "model")) and version > 1,
        }

    assert in_child(run) == {
        "outside": True,
        "own": False,
        "link in the step's folder": True,
        "link in its outputs": False,
        "move within it": False,
    }


@needs_landlock
def test_nothing_is_left_to_say_where_the_system_confines_a_step(step: Path) -> None:
    assert confined(step, lambda: None)[0] is None


def test_without_landlock_a_step_says_so_and_still_opens_no_socket(
    step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "landlock_version", lambda: 0)
    said, socket_refused = confined(step, lambda: refused(socket.socket))
    assert "without Landlock" in said
    assert socket_refused


@pytest.mark.parametrize("version", [0, min(5, landlock.landlock_version())])
def test_where_landlock_lets_signals_pass_a_step_still_sends_none_to_those_that_run_it(
    version: int, step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "landlock_version", lambda: version)
    above = (os.getpid(), os.getppid())  # the confined process is this one's child
    reading, writing = os.pipe()

    acts: dict[str, Callable[[int], object]] = {
        "signal": lambda pid: os.kill(pid, 0),
        "signal its group": lambda pid: os.kill(-pid, 0),
        "open": os.pidfd_open,
        "send it what a pipe brings": lambda pid: fcntl.fcntl(reading, fcntl.F_SETOWN, pid),
    }

    def send() -> dict[str, bool]:
        tried = {f"{name} {pid}": refused(functools.partial(act, pid)) for pid in above for name, act in acts.items()}
        with subprocess.Popen(["/bin/sleep", "60"]) as own:
            own.terminate()
        tried["signal everybody"] = refused(lambda: os.kill(-1, 0))
        tried["signal a child of its own"] = own.returncode != -signal.SIGTERM
        return tried

    try:
        _, tried = confined(step, send)
    finally:
        os.close(reading)
        os.close(writing)
    assert tried.pop("signal a child of its own") is False
    assert {what for what, was_refused in tried.items() if not was_refused} == set()


def test_a_step_with_tools_looks_at_network_cards_but_reaches_no_program_of_the_user_s(step: Path) -> None:
    def run() -> list[bool]:
        kinds = (socket.AF_INET, socket.AF_UNIX)
        return [refused(lambda kind=kind: socket.socket(kind).close()) for kind in kinds]  # type: ignore[misc]

    assert confined(step, run, tools=True)[1] == [False, True]
    assert confined(step, run, tools=False)[1] == [True, True]


def test_what_a_step_shares_in_memory_ends_with_it(step: Path) -> None:
    left = Path("/dev/shm") / f"left-by-{step.parent.parent.name}-{os.getpid()}"

    def run() -> bool:
        left.touch()
        return left.exists()

    assert confined(step, run)[1]
    stayed = left.exists()
    left.unlink(missing_ok=True)
    assert stayed is not may_make_mounts()


@needs_landlock
@pytest.mark.parametrize(
    ("tools", "licence", "reaches"),
    [(True, "2100@localhost", True), (True, "/opt/licence.lic", False), (False, "2100@localhost", False)],
)
def test_only_a_step_whose_tool_asks_a_licence_server_connects(
    step: Path, port: int, tools: bool, licence: str, reaches: bool
) -> None:
    def connect() -> None:
        socket.create_connection(("127.0.0.1", port), 5).close()

    environment = {**os.environ, "XILINXD_LICENSE_FILE": licence}
    _, no_connection = confined(step, lambda: refused(connect), tools=tools, environment=environment)
    assert no_connection is not reaches


def _double(number: int) -> int:
    return 2 * number


def test_a_confined_step_still_starts_programs_pools_and_temporary_files(step: Path) -> None:
    def run() -> list[Any]:
        temporary = tempfile.mkdtemp(dir=step / "work")
        Path(temporary, "script").write_text("#!/bin/sh\necho ran\n")
        Path(temporary, "script").chmod(0o755)
        said = subprocess.run([f"{temporary}/script"], capture_output=True, text=True, check=True, cwd=temporary)
        python = subprocess.run([sys.executable, "-c", "import ssl, json; print(1)"], capture_output=True, check=True)
        with get_context("fork").Pool(2) as pool:
            return [said.stdout, python.stdout.decode(), pool.map(_double, range(3))]

    assert confined(step, run)[1] == ["ran\n", "1\n", [0, 2, 4]]


def test_a_confined_step_can_gain_no_privileges(step: Path) -> None:
    assert confined(step, lambda: Path("/proc/self/status").read_text().split("NoNewPrivs:\t")[1][0])[1] == "1"


@needs_landlock
def test_a_step_keeps_no_place_open_that_its_server_has_opened_for_all(step: Path) -> None:
    def places() -> set[int]:
        """What is open as a path alone."""
        return {int(file.name) for file in Path("/proc/self/fdinfo").iterdir() if is_place(file)}

    def is_place(file: Path) -> bool:
        try:
            return bool(int(file.read_text().split("flags:")[1].split()[0], 8) & os.O_PATH)
        except FileNotFoundError:  # the folder that is being listed
            return False

    def run() -> list[int]:
        others = places()
        confinement = Confinement(os.environ, step.parent)
        opened = places() - others
        confinement.prepare()
        confinement.apply(step, tools=False)
        return [len(opened), len(opened & places())]

    opened, left = in_child(run)
    assert opened > 10
    assert left == 0
