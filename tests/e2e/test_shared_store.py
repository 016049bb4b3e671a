"""Builds on machines that share a store: each machine a cache of its own, the store a folder or a real S3."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.paths import BSKERNEL
from support.s3_proxy import S3Proxy
from support.s3_server import BUCKET, S3Server
from support.signing_keys import write_pair

BUILD = """
[build]
name = "sum"
model = "number.txt"
{more}
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
parameters = {{ number = 3 }}
[[step]]
name = "again"
entry = "testing:double"
"""
BETWEEN = """
[[step]]
name = "meet"
entry = "testing:meet"
parameters = { word = "here", until = ["go"] }
"""
Kernel = subprocess.Popen[str]


class Machine:
    """A cache of its own, and the environment of its commands."""

    def __init__(self, folder: Path, surroundings: dict[str, str], environments: Path, **variables: str) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
        for name in ("envs", "code"):
            (self.cache / name).symlink_to(environments / name)
        self.environment = surroundings | {"BSKERNEL_CACHE": str(self.cache)} | variables
        self.begun: list[Kernel] = []

    def write(self, more: str = "", steps: str = "") -> None:
        (self.folder / "number.txt").write_text("5")
        (self.folder / "build.toml").write_text(BUILD.format(more=more) + steps)

    def begin(self, *arguments: str) -> Kernel:
        kernel = subprocess.Popen(
            [BSKERNEL, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
        self.begun.append(kernel)
        return kernel

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kernel = self.begin(*arguments)
        out, errors = kernel.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, kernel.returncode, out, errors)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A build, which must end well."""
        done = self.call("run", "build.toml", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    def statuses(self) -> list[str]:
        result = json.loads((self.folder / "build" / "sum" / "result.json").read_text())
        return [step["status"] for step in result["steps"]]

    def artifact(self) -> str:
        return (self.folder / "build" / "sum" / "artifacts" / "model").read_text()

    def pending(self) -> list[str]:
        return sorted(path.name for path in self.cache.glob("pending/*/*"))


@pytest.fixture
def machine(tmp_path: Path, surroundings: dict[str, str], environments: Path) -> Iterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(name: str, **variables: str) -> Machine:
        made.append(Machine(tmp_path / name, surroundings, environments, **variables))
        made[-1].write()
        return made[-1]

    yield make
    for kernel in (kernel for one in made for kernel in one.begun):
        kernel.kill()
        kernel.communicate()


@pytest.fixture
def server() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment variables that name a shared store."""
    if request.param == "folder":
        (tmp_path / "shared").mkdir()
        return {"BSKERNEL_STORE": str(tmp_path / "shared")}
    server: S3Server = request.getfixturevalue("server")
    return {"BSKERNEL_STORE": f"s3://{BUCKET}/some/prefix", **server.environment}


def held(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def warnings(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "shared store" in line]


@pytest.mark.parametrize("mode", ["write-through", "write-back"])
def test_what_one_machine_made_another_recalls_and_runs_nothing(
    machine: Callable[..., Machine], shared: dict[str, str], mode: str
) -> None:
    first = machine("first", BSKERNEL_STORE_MODE=mode, **shared)
    second = machine("second", BSKERNEL_STORE_MODE="read-only", **shared)
    assert warnings(first.run()) == []
    assert first.statuses() == ["ran"] * 3
    assert first.pending() == []
    assert second.call("plan", "build.toml").stdout.count("cached") == 3
    assert len(list(second.cache.glob("blobs/*/*"))) == 1, "plan fetched more than the model, which is the user's"
    assert warnings(second.run()) == []
    assert second.statuses() == ["recalled"] * 3
    assert second.artifact() == first.artifact() == "26"
    # And once it has pulled them, it has them itself.
    pulled = told_by(second.call("store", "pull", "build.toml", "--json"))
    assert pulled == {"pulled": 2, "present": 1, "missing": 0}
    second.environment["BSKERNEL_STORE"] = "none"
    second.run()
    assert second.statuses() == ["recalled"] * 3


# What is downloaded


def blob_of(machine: Machine, step: str) -> str:
    """The SHA-256 of the model that a step of the last build made."""
    result = json.loads((machine.folder / "build" / "sum" / "result.json").read_text())
    (step_result,) = [found for found in result["steps"] if found["name"] == step]
    return str(step_result["outputs"][0]["digest"]["sha256"])


@pytest.fixture
def proxy(server: S3Server) -> Iterator[S3Proxy]:
    proxy = S3Proxy(server, delay_s=0.2)
    yield proxy
    proxy.close()


def test_models_between_steps_are_downloaded_only_for_steps_that_run(
    machine: Callable[..., Machine], proxy: S3Proxy
) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", **proxy.environment}
    first, second = machine("first", BSKERNEL_STORE_MODE="write-through", **where), machine("second", **where)
    first.run()
    between, last = [blob_of(first, "double"), blob_of(first, "add")], blob_of(first, "again")
    second.run()
    assert second.statuses() == ["recalled"] * 3
    asked = proxy.asked("GET", "blobs")
    assert last in asked
    assert not {*between} & {*asked}
    # A build of the same asks nothing any more; one of which a step runs needs that step's inputs alone.
    proxy.requests.clear()
    second.run()
    assert second.statuses() == ["recalled"] * 3
    assert proxy.asked("GET", "actions") == proxy.asked("GET", "blobs") == []
    second.write(steps='[[step]]\nname = "more"\nentry = "testing:double"\n')
    (second.folder / "build.toml").write_text((second.folder / "build.toml").read_text().replace("= 3", "= 4"))
    second.run()
    assert second.statuses() == ["recalled", "ran", "ran", "ran"]
    assert second.artifact() == "56"
    assert {*between} & {*proxy.asked("GET", "blobs")} == {between[0]}


@pytest.mark.parametrize("damage", ["gone", "altered", "store gone"])
def test_a_model_that_is_needed_and_lost_is_made_again(
    machine: Callable[..., Machine], tmp_path: Path, damage: str
) -> None:
    (tmp_path / "shared").mkdir()
    where = {"BSKERNEL_STORE": str(tmp_path / "shared"), "BSKERNEL_STORE_MODE": "write-through"}
    first, second = machine("first", **where), machine("second", **where)
    first.run()
    if damage == "store gone":
        second.run()  # and so it knows what the store had
        (tmp_path / "shared").rename(tmp_path / "gone")
    else:
        name = blob_of(first, "add")
        blob = tmp_path / "shared" / "blobs" / name[:2] / name
        blob.unlink() if damage == "gone" else blob.write_bytes(b"no")
    file = second.folder / "build.toml"
    other = file.read_text().rpartition("testing:double")
    file.write_text(f"{other[0]}testing:add{other[2]}")
    done = second.run()
    assert "rerunning the step that produces it" in done.stderr
    assert second.statuses() == ["ran" if damage == "store gone" else "recalled", "ran", "ran"]
    assert second.artifact() == "14"
    if damage != "store gone":
        third = machine("third", **where)
        third.run()
        assert third.statuses() == ["recalled"] * 3, "who may write mends the store"


def test_results_of_different_points_are_looked_up_at_once_and_so_are_their_blobs(
    machine: Callable[..., Machine], proxy: S3Proxy
) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", **proxy.environment}
    first, second = machine("first", BSKERNEL_STORE_MODE="write-back", **where), machine("second", **where)
    grid = '[sweep.grid]\n"build.salt" = ["a", "b", "c", "d", "e"]\n[limits]\njobs = 1\n'
    first.write(steps=grid)
    second.write(steps=grid)
    assert first.call("sweep", "build.toml").returncode == 0
    proxy.most = 0
    done = second.call("sweep", "build.toml")
    assert done.returncode == 0, done.stderr
    assert proxy.most >= 3
    models = [path.read_text() for path in (second.folder / "build").glob("sum-sweep/points/*/artifacts/model")]
    assert models == ["26"] * 5


# A step that several machines start


SLOW = BETWEEN + '[[step]]\nname = "last"\nentry = "testing:double"\n'


def release(one: Machine) -> None:
    """Let the steps that wait in a machine's sessions end."""
    for word in one.cache.glob("sessions/*/steps/.here"):
        word.with_name("go").touch()
        word.with_name(".go").touch()


def runs(one: Machine) -> bool:
    return bool(list(one.cache.glob("sessions/*/steps/.here")))


def claims_of(server: S3Server) -> list[str]:
    return [key for key in server.objects() if "/claims/" in f"/{key}"]


@pytest.mark.parametrize("mode", ["write-through", "write-back"])
def test_a_slow_step_that_two_machines_start_runs_on_one(
    machine: Callable[..., Machine], server: S3Server, mode: str
) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", "BSKERNEL_STORE_MODE": mode, **server.environment}
    first, second = machine("first", **where), machine("second", **where)
    for each in (first, second):
        each.write(steps=SLOW)
    one = first.begin("run", "build.toml")
    eventually(lambda: claims_of(server))
    other = second.begin("run", "build.toml")
    eventually(lambda: runs(second))
    told = ""
    assert other.stderr is not None
    while "waiting for another machine's result" not in told:
        told += (line := other.stderr.readline())
        assert line, told
    assert f"process {one.pid}" in told
    release(first)
    for kernel in (one, other):
        _, errors = kernel.communicate(timeout=120)
        assert kernel.returncode == 0, errors
    assert first.statuses() == ["ran"] * 5
    assert second.statuses()[:4] == ["recalled"] * 4
    assert claims_of(server) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_claim_and_who_waits_for_it_goes_on(
    machine: Callable[..., Machine], server: S3Server, how: signal.Signals
) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", "BSKERNEL_STORE_MODE": "write-through", **server.environment}
    first, second = machine("first", **where), machine("second", **where)
    for each in (first, second):
        each.write(steps=SLOW)
    one = first.begin("run", "build.toml")
    eventually(lambda: claims_of(server))
    other = second.begin("run", "build.toml")
    told = ""
    assert other.stderr is not None
    while "waiting for another machine's result" not in told:
        told += (line := other.stderr.readline())
        assert line, told
    one.send_signal(how)
    one.communicate(timeout=120)
    eventually(lambda: runs(second))
    release(second)
    _, errors = other.communicate(timeout=120)
    assert other.returncode == 0, errors
    assert second.statuses() == ["recalled"] * 3 + ["ran"] * 2
    assert claims_of(server) == []


def test_short_steps_and_readers_claim_nothing(machine: Callable[..., Machine], proxy: S3Proxy) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", **proxy.environment}
    reader = machine("reader", BSKERNEL_STORE_MODE="read-only", **where)
    reader.write(steps=BETWEEN)
    kernel = reader.begin("run", "build.toml")
    eventually(lambda: runs(reader))
    time.sleep(3)  # longer than a writer's step runs without a claim
    release(reader)
    kernel.communicate(timeout=120)
    assert kernel.returncode == 0
    assert {method for method, _ in proxy.requests} <= {"GET", "HEAD"}
    assert not any("claims" in path for _, path in proxy.requests)


def test_read_only_never_writes_and_no_configuration_makes_it(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    one = machine("one", BSKERNEL_STORE_MODE="read-only")
    one.write(more='[store]\nshared = "../shared"\nmode = "write-through"')
    one.run("--set", "store.mode=write-back")
    assert list((tmp_path / "shared").iterdir()) == []
    assert one.pending() == []
    refused = one.call("store", "push", "build.toml")
    assert refused.returncode == 2
    assert "read-only" in refused.stderr
    assert list((tmp_path / "shared").iterdir()) == []
    del one.environment["BSKERNEL_STORE_MODE"]
    one.run("--fresh")
    assert len(list((tmp_path / "shared" / "actions").glob("*/*"))) == 3


def test_a_server_that_is_killed_in_mid_build_is_told_of_once_and_gets_the_rest_later(
    machine: Callable[..., Machine], server: S3Server
) -> None:
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", **server.environment}
    first = machine("first", BSKERNEL_STORE_MODE="write-back", **where)
    first.write(steps=BETWEEN + '[[step]]\nname = "last"\nentry = "testing:double"\n')
    kernel = first.begin("run", "build.toml", "--jobs", "1")
    eventually(lambda: list(first.cache.glob("sessions/*/steps/.here")))
    server.kill()
    for word in first.cache.glob("sessions/*/steps/.here"):
        word.with_name("go").touch()
        word.with_name(".go").touch()
    _, errors = kernel.communicate(timeout=120)
    assert kernel.returncode == 0, errors
    told = [line for line in errors.splitlines() if "shared store" in line]
    assert len(told) == 1
    assert f"s3://{BUCKET}" in told[0]
    assert first.statuses() == ["ran"] * 5
    assert first.pending()
    server.start()  # it has forgotten all
    pushed = first.call("store", "push", "build.toml")
    assert pushed.returncode == 0, pushed.stderr
    assert first.pending() == []
    second = machine("second", **where)
    second.write(steps=BETWEEN + '[[step]]\nname = "last"\nentry = "testing:double"\n')
    second.run()
    assert second.statuses() == ["recalled"] * 5


@pytest.mark.parametrize("mode", ["read-only", "write-through", "write-back"])
def test_a_store_that_never_answers_costs_one_warning_and_the_next_run_pushes(
    machine: Callable[..., Machine], mode: str
) -> None:
    server = S3Server()  # not started: nobody listens there
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}", **server.environment}
    one = machine("one", BSKERNEL_STORE_MODE=mode, **where)
    done = one.run()
    assert len(warnings(done)) == 1
    assert one.statuses() == ["ran"] * 3
    assert len(one.pending()) == (0 if mode == "read-only" else 3)
    try:
        server.start()
        assert warnings(one.run()) == []
        assert one.statuses() == ["recalled"] * 3
        assert one.pending() == []
        status, listing = server.request("GET", f"/{BUCKET}?list-type=2&prefix=actions/")
        assert (status, listing.count(b"<Key>")) == (200, 0 if mode == "read-only" else 3)
    finally:
        server.kill()


def test_a_folder_that_is_not_there_is_not_made(machine: Callable[..., Machine], tmp_path: Path) -> None:
    one = machine("one", BSKERNEL_STORE=str(tmp_path / "not-mounted"), BSKERNEL_STORE_MODE="write-through")
    assert "create or mount it" in "".join(warnings(one.run()))
    assert not (tmp_path / "not-mounted").exists()


@pytest.mark.parametrize("mode", ["read-only", "write-through"])
def test_a_damaged_blob_is_made_again_and_mended_by_who_may(
    machine: Callable[..., Machine], tmp_path: Path, mode: str
) -> None:
    (tmp_path / "shared").mkdir()
    where = {"BSKERNEL_STORE": str(tmp_path / "shared")}
    machine("first", BSKERNEL_STORE_MODE="write-through", **where).run()
    blobs = {path: path.read_bytes() for path in tmp_path.glob("shared/blobs/*/*")}
    for path, data in blobs.items():
        path.write_bytes(bytes(byte ^ 1 for byte in data))  # of the same size
    second = machine("second", BSKERNEL_STORE_MODE=mode, **where)
    second.run()
    assert second.statuses() == ["ran"] * 3
    assert second.artifact() == "26"
    third = machine("third", **where)
    third.run()
    assert third.statuses() == ["ran" if mode == "read-only" else "recalled"] * 3
    assert third.artifact() == "26"


@pytest.mark.parametrize("what", ["torn", "of-nothing", "without-blobs"])
def test_a_damaged_result_is_no_result(machine: Callable[..., Machine], tmp_path: Path, what: str) -> None:
    (tmp_path / "shared").mkdir()
    where = {"BSKERNEL_STORE": str(tmp_path / "shared"), "BSKERNEL_STORE_MODE": "write-through"}
    machine("first", **where).run()
    for path in tmp_path.glob("shared/blobs/*/*" if what == "without-blobs" else "shared/actions/*/*"):
        if what == "without-blobs":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-5] if what == "torn" else b"")
    second, third = machine("second", **where), machine("third", **where)
    second.run()
    assert second.statuses() == ["ran"] * 3
    third.run()
    assert third.statuses() == ["recalled"] * 3


def test_many_machines_write_at_once_and_leave_one_whole_store(
    machine: Callable[..., Machine], shared: dict[str, str]
) -> None:
    many = [machine(f"m{at}", BSKERNEL_STORE_MODE="write-through", **shared) for at in range(4)]
    kernels = [one.begin("run", "build.toml") for one in many]
    for kernel in kernels:
        _, errors = kernel.communicate(timeout=120)
        assert (kernel.returncode, "shared store" in errors) == (0, False), errors
    assert {one.artifact() for one in many} == {"26"}
    last = machine("last", **shared)
    last.run()
    assert last.statuses() == ["recalled"] * 3
    checked = json.loads(last.call("store", "check", "--shared", "--json").stdout)
    assert (checked["results"], checked["damaged"], checked["dangling"]) == (3, [], [])


def test_a_writer_that_was_killed_leaves_nothing_that_is_used(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    where = {"BSKERNEL_STORE": str(tmp_path / "shared"), "BSKERNEL_STORE_MODE": "write-back"}
    first = machine("first", **where)
    first.write(steps=BETWEEN)
    kernel = first.begin("run", "build.toml", "--jobs", "1")
    eventually(lambda: list(first.cache.glob("sessions/*/steps/.here")))
    kernel.send_signal(signal.SIGKILL)
    kernel.communicate()
    second = machine("second", **where)
    second.run()
    assert second.artifact() == "26"


def test_no_credential_is_told_recorded_or_packed(machine: Callable[..., Machine], tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "env-hushhush"}
    one = machine("one", **keys)
    port = S3Server().port
    one.write(
        more=f'[store]\nshared = "s3://user:url-hushhush@{BUCKET}/p"\nmode = "write-through"\n'
        f'options = {{ endpoint_url = "http://who:endpoint-hushhush@127.0.0.1:{port}", secret = "option-hushhush" }}'
    )
    done = one.run()
    packed = one.call("bundle", "build/sum", "--output", "b.tar.gz")
    assert packed.returncode == 0, packed.stderr
    assert warnings(done)
    texts = [done.stdout.encode(), done.stderr.encode(), packed.stdout.encode()]
    texts += [data for path, data in held(one.folder).items() if path.name != "build.toml"]
    texts.append(gzip.decompress((one.folder / "b.tar.gz").read_bytes()))
    assert [text for text in texts if b"hushhush" in text or b"AKIATEST" in text] == []
    assert "store" not in json.loads((one.folder / "build" / "sum" / "config.json").read_text())


def test_a_shared_store_without_its_library_says_how_to_install_it(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    one = machine("one", BSKERNEL_STORE=f"s3://{BUCKET}", BSKERNEL_STORE_MODE="read-only")
    code = (
        "import sys\n"
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 's3fs' else real(name, *rest)\n"
        "sys.argv = ['bskernel', 'run', 'build.toml']\n"
        "from bskernel.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=one.folder, env=one.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "uv pip install 'bskernel[s3]'" in done.stderr


def test_a_server_that_hangs_is_given_up(machine: Callable[..., Machine], server: S3Server) -> None:
    one = machine("one", **server.environment)
    one.write(
        more=f'[store]\nshared = "s3://{BUCKET}"\nmode = "write-through"\n'
        "options = { config_kwargs = { read_timeout = 1 } }"
    )
    server.stop()
    done = one.run()
    assert len(warnings(done)) == 1
    assert one.statuses() == ["ran"] * 3
    assert len(one.pending()) == 3


# `bskernel store`


def told_by(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def age(paths: list[Path], days: float) -> None:
    assert paths
    for path in paths:
        then = path.stat().st_mtime - days * 86_400
        os.utime(path, (then, then))


def test_what_is_there_is_counted_pushed_and_pulled(machine: Callable[..., Machine], shared: dict[str, str]) -> None:
    first, second = machine("first"), machine("second", **shared)
    first.run()
    assert "no shared store is configured" in first.call("store", "push").stderr
    first.environment |= shared
    assert first.call("store", "push").returncode == 2, "a store is read-only unless somebody says otherwise"
    pushed = told_by(first.call("store", "push", "--mode", "write-back", "--json"))
    assert pushed == {"pushed": 3, "present": 0, "gone": 0, "failed": 0}
    pushed = told_by(first.call("store", "push", "build/sum", "--mode", "write-back", "--json"))
    assert pushed == {"pushed": 0, "present": 3, "gone": 0, "failed": 0}
    found = told_by(first.call("store", "stat", "--json"))
    assert found["local"]["holds"]["results"] == found["shared"]["holds"]["results"] == 3
    assert found["shared"]["holds"]["bytes"] > 0
    assert found["pending"] == 0
    assert told_by(second.call("store", "pull", "build.toml", "--json")) == {"pulled": 3, "present": 0, "missing": 0}
    assert told_by(second.call("store", "pull", "build.toml", "--json")) == {"pulled": 0, "present": 3, "missing": 0}
    second.environment["BSKERNEL_STORE"] = "none"
    second.run()
    assert second.statuses() == ["recalled"] * 3


def test_of_a_sweep_the_results_of_all_its_points_are_pushed_and_pulled(
    machine: Callable[..., Machine], shared: dict[str, str]
) -> None:
    first, second = machine("first"), machine("second", **shared)
    grid = '[sweep.grid]\n"build.salt" = ["a", "b", "c"]\n'
    first.write(steps=grid)
    second.write(steps=grid)
    assert first.call("sweep", "build.toml").returncode == 0
    first.environment |= shared
    pushed = told_by(first.call("store", "push", "build/sum-sweep", "--mode", "write-back", "--json"))
    assert pushed == {"pushed": 3 * 3, "present": 0, "gone": 0, "failed": 0}
    pushed = told_by(first.call("store", "push", "build.toml", "--mode", "write-back", "--json"))
    assert pushed == {"pushed": 0, "present": 9, "gone": 0, "failed": 0}
    assert told_by(second.call("store", "pull", "build.toml", "--json")) == {"pulled": 9, "present": 0, "missing": 0}


def test_a_store_that_does_not_answer_is_an_error_where_it_was_asked_for(machine: Callable[..., Machine]) -> None:
    server = S3Server()
    one = machine("one", BSKERNEL_STORE=f"s3://{BUCKET}", BSKERNEL_STORE_MODE="write-back", **server.environment)
    one.write(more='salt = "x"')
    one.run()
    for command in (["push"], ["pull", "build.toml"], ["stat"], ["check", "--shared"]):
        done = one.call("store", *command)
        if command[0] != "pull":  # all that it could pull is here
            assert (done.returncode, f"s3://{BUCKET}" in done.stderr) == (4, True), command
    assert len(one.pending()) == 3


@pytest.mark.parametrize("where", ["cache", "shared"])
def test_damage_is_found_and_removed_when_asked_for(
    machine: Callable[..., Machine], tmp_path: Path, where: str
) -> None:
    (tmp_path / "shared").mkdir()
    one = machine("one", BSKERNEL_STORE=str(tmp_path / "shared"), BSKERNEL_STORE_MODE="write-through")
    one.run()
    flags = ["--shared"] if where == "shared" else []
    folder = tmp_path / "shared" if where == "shared" else one.cache
    assert one.call("store", "check", *flags).returncode == 0
    blob = next(path for path in folder.glob("blobs/*/*") if path.read_bytes() == b"26")
    found = blob.stat()
    blob.write_bytes(b"62")
    os.utime(blob, ns=(found.st_atime_ns, found.st_mtime_ns))
    checked = one.call("store", "check", *flags, "--json")
    assert checked.returncode == 4
    assert json.loads(checked.stdout)["damaged"] == [blob.name]
    assert len(json.loads(checked.stdout)["dangling"]) == 1
    assert blob.exists(), "it was only asked about"
    assert one.call("store", "check", *flags, "--repair").returncode == 0
    assert not blob.exists()
    assert told_by(one.call("store", "check", *flags, "--json"))["results"] == 2
    one.environment["BSKERNEL_STORE"] = "none"
    one.run()
    assert one.statuses() == ["recalled", "recalled", "ran" if where == "cache" else "recalled"]


def test_what_was_not_used_for_long_goes_from_the_cache_and_what_is_used_stays(
    machine: Callable[..., Machine],
) -> None:
    one = machine("one")
    one.run()
    age(list(one.cache.glob("actions/*/*")), days=40)
    one.run("--to", "add")  # uses the first two
    assert len(told_by(one.call("store", "gc", "--older-than", "30d", "--dry-run", "--json"))["results"]) == 1
    assert len(list(one.cache.glob("actions/*/*"))) == 3
    gone = told_by(one.call("store", "gc", "--older-than", "30d", "--json"))
    assert (len(gone["results"]), len(gone["blobs"])) == (1, 1)
    one.run()
    assert one.statuses() == ["recalled", "recalled", "ran"]
    one.call("store", "gc", "--max-size", "0")
    assert list(one.cache.glob("actions/*/*")) == []
    one.run()
    assert one.statuses() == ["ran"] * 3


def test_nothing_goes_while_a_build_runs_nor_what_is_still_to_be_pushed(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    one = machine("one", BSKERNEL_STORE=str(tmp_path / "not-there"), BSKERNEL_STORE_MODE="write-back")
    one.write(steps=BETWEEN)
    kernel = one.begin("run", "build.toml", "--jobs", "1")
    eventually(lambda: list(one.cache.glob("sessions/*/steps/.here")))
    refused = one.call("store", "gc", "--max-size", "0")
    assert (refused.returncode, "a build is using the cache" in refused.stderr) == (4, True)
    for word in one.cache.glob("sessions/*/steps/.here"):
        word.with_name("go").touch()
        word.with_name(".go").touch()
    kernel.communicate(timeout=120)
    assert kernel.returncode == 0
    assert one.call("store", "gc", "--max-size", "0").returncode == 0
    assert len(one.pending()) == len(list(one.cache.glob("actions/*/*"))) == 4


def test_of_the_shared_store_only_what_is_asked_for_goes(
    machine: Callable[..., Machine], shared: dict[str, str]
) -> None:
    one = machine("one", BSKERNEL_STORE_MODE="write-through", **shared)
    one.run()
    one.call("store", "gc", "--max-size", "0")
    assert told_by(one.call("store", "stat", "--json"))["shared"]["holds"]["results"] == 3
    assert one.call("store", "gc", "--shared").returncode == 2
    gone = told_by(one.call("store", "gc", "--shared", "--older-than", "1d", "--json"))
    assert gone["results"] == gone["blobs"] == []
    gone = told_by(one.call("store", "gc", "--shared", "--max-size", "0", "--json"))
    # Their blobs stay for a day: another machine may be about to name them.
    assert (len(gone["results"]), gone["blobs"]) == (3, [])
    assert told_by(one.call("store", "stat", "--json"))["shared"]["holds"]["results"] == 0
    one.environment["BSKERNEL_STORE_MODE"] = "read-only"
    assert one.call("store", "gc", "--shared", "--max-size", "0", "--mode", "write-back").returncode == 2


def test_stale_claims_go_from_the_shared_store_and_lookups_from_the_cache(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    where = {"BSKERNEL_STORE": str(tmp_path / "shared"), "BSKERNEL_STORE_MODE": "write-through"}
    first, second = machine("first", **where), machine("second", **where)
    first.run()
    second.run()
    (tmp_path / "shared" / "claims").mkdir(exist_ok=True)
    for name in ("stale", "fresh"):
        (tmp_path / "shared" / "claims" / name).write_text("{}")
    age([tmp_path / "shared" / "claims" / "stale"], days=0.05)
    assert told_by(first.call("store", "gc", "--shared", "--max-size", "1T", "--json"))["claims"] == ["stale"]
    assert [path.name for path in (tmp_path / "shared" / "claims").iterdir()] == ["fresh"]
    assert first.call("store", "check", "--shared").returncode == 0
    assert len([path for path in (second.cache / "known").rglob("*") if path.is_file()]) == 2
    assert second.call("store", "check").returncode == 0
    assert second.call("store", "gc", "--dry-run").returncode == 0
    assert (second.cache / "known").exists()
    assert second.call("store", "gc").returncode == 0
    assert not (second.cache / "known").exists()
    second.run()
    assert second.statuses() == ["recalled"] * 3


# Signed stores


KEYS = """
[store]
shared = "../shared"
mode = "{mode}"
signed_by = ["../ci.pub"]
"""


@pytest.fixture
def signed(tmp_path: Path) -> tuple[str, str]:
    """The key pair of a signed store, and the store's folder."""
    (tmp_path / "shared").mkdir()
    return write_pair(tmp_path, "ci")


def test_signed_results_are_recalled_by_whoever_asks_for_them_and_by_whoever_does_not(
    machine: Callable[..., Machine], signed: tuple[str, str]
) -> None:
    writer, careful, trusting = machine("writer"), machine("careful"), machine("trusting")
    writer.write(KEYS.format(mode="write-through") + 'sign_with = "../ci.pem"\n')
    assert warnings(writer.run()) == []
    Path(signed[0]).unlink()
    # A reader needs the public key alone, also with the same file.
    careful.write(KEYS.format(mode="read-only") + 'sign_with = "../ci.pem"\n')
    trusting.write('[store]\nshared = "../shared"\n')
    for reader in (careful, trusting):
        assert warnings(reader.run()) == []
        assert reader.statuses() == ["recalled"] * 3
    checked = careful.call("store", "check", "--shared", "--config", "build.toml")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("by", ["nobody", "a stranger", "altered"])
def test_results_that_the_key_has_not_signed_are_not_there_which_is_said_once(
    machine: Callable[..., Machine], signed: tuple[str, str], tmp_path: Path, by: str
) -> None:
    other, careful = machine("other"), machine("careful")
    other.write('[store]\nshared = "../shared"\nmode = "write-through"\n')
    if by == "a stranger":
        private, public = write_pair(tmp_path, "stranger")
        other.environment |= {"BSKERNEL_STORE_SIGNED_BY": public, "BSKERNEL_STORE_SIGN_WITH": private}
    elif by == "altered":
        other.environment |= {"BSKERNEL_STORE_SIGNED_BY": signed[1], "BSKERNEL_STORE_SIGN_WITH": signed[0]}
    other.run()
    for path in tmp_path.glob("shared/actions/*/*") if by == "altered" else ():
        envelope = json.loads(path.read_bytes())
        envelope["payloadType"] += "s"
        path.write_text(json.dumps(envelope))
    careful.write(KEYS.format(mode="read-only"))
    done = careful.run()
    assert careful.statuses() == ["ran"] * 3
    (warning,) = warnings(done)
    assert warning.startswith("warning: ")
    assert "not signed by ../ci.pub: they count as missing" in warning
    assert len(list(tmp_path.glob("shared/actions/*/*"))) == 3


def test_who_signs_replaces_what_is_not_signed_and_a_push_does_too(
    machine: Callable[..., Machine], signed: tuple[str, str], tmp_path: Path
) -> None:
    other, writer, reader = machine("other"), machine("writer"), machine("reader")
    other.write('[store]\nshared = "../shared"\nmode = "write-through"\n')
    other.run()
    other.environment |= {"BSKERNEL_STORE_SIGNED_BY": signed[1], "BSKERNEL_STORE_SIGN_WITH": signed[0]}
    pushed = other.call("store", "push", "build.toml", "--config", "build.toml")
    assert pushed.stdout.startswith("3 results pushed, 0 already there"), pushed.stderr
    pushed = other.call("store", "push", "build.toml", "--config", "build.toml")
    assert pushed.stdout.startswith("0 results pushed, 3 already there"), pushed.stderr
    reader.write(KEYS.format(mode="read-only"))
    reader.run()
    assert reader.statuses() == ["recalled"] * 3
    # Whoever asks for no signature leaves the signed results as they are.
    before = held(tmp_path / "shared")
    del other.environment["BSKERNEL_STORE_SIGNED_BY"], other.environment["BSKERNEL_STORE_SIGN_WITH"]
    other.run("--fresh")
    assert held(tmp_path / "shared") == before
    writer.write(KEYS.format(mode="write-back") + 'sign_with = "../ci.pem"\n')
    assert warnings(writer.run()) == []
    assert writer.statuses() == ["recalled"] * 3


def test_what_came_from_a_project_s_store_without_a_signature_is_not_recalled_once_one_is_asked_for(
    machine: Callable[..., Machine], signed: tuple[str, str]
) -> None:
    other, reader = machine("other"), machine("reader")
    other.write('[store]\nshared = "../shared"\nmode = "write-through"\n')
    other.run()
    reader.write('[store]\nshared = "../shared"\n')
    reader.run()
    assert reader.statuses() == ["recalled"] * 3
    reader.write(KEYS.format(mode="read-only"))
    reader.run()
    assert reader.statuses() == ["ran"] * 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('mode = "write-through"\nsigned_by = ["../ci.pub"]', "store.sign_with names no key"),
        ('sign_with = "../ci.pem"', "store.signed_by is not set"),
        ('signed_by = ["../no.pub"]', "no.pub: no such file"),
        ('signed_by = ["../ci.pem"]', "../ci.pem: is a private key"),
        (
            'mode = "write-back"\nsigned_by = ["../ci.pub"]\nsign_with = "../stranger.pem"',
            "its public key is not in store.signed_by",
        ),
    ],
)
def test_a_signed_store_without_its_keys_is_refused_before_anything_runs(
    machine: Callable[..., Machine], signed: tuple[str, str], tmp_path: Path, table: str, said: str
) -> None:
    write_pair(tmp_path, "stranger")
    one = machine("one")
    one.write(f'[store]\nshared = "../shared"\n{table}\n')
    done = one.call("run", "build.toml")
    assert done.returncode == 2
    assert said in done.stderr
    assert list(one.folder.glob("build/*/steps/*")) == []
    assert list(tmp_path.glob("shared/*")) == []


def test_a_project_signs_with_a_key_only_once_that_is_trusted(
    machine: Callable[..., Machine], signed: tuple[str, str], tmp_path: Path
) -> None:
    one = machine("one", BSKERNEL_TRUST="", XDG_CONFIG_HOME=str(tmp_path / "config"))
    where = ("--set", f"store.shared={tmp_path / 'shared'}", "--set", "store.mode=write-through")
    one.write(KEYS.format(mode="write-through") + 'sign_with = "../ci.pem"\n')
    refused = one.call("run", "build.toml", *where)
    assert refused.returncode == 6
    assert "store.sign_with = ../ci.pem: what this build makes is signed with that key" in refused.stderr
    given = one.call("run", "build.toml", *where, "--set", f"store.sign_with={signed[0]}")
    assert given.returncode == 0, given.stderr
