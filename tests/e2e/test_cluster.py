"""Builds on a cluster, by the command line: what is lost when something dies, and what it says. Ends are forced."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bskernel
import pytest
from bskernel.core.signature import decode_envelope, is_signed_by, read_public_key
from support.builds import result_of, statuses, write
from support.dask_cluster import Cluster, processes_that_name, stored_in
from support.eventually import eventually
from support.items import THREE, WEIGHED
from support.signing_keys import write_pair
from vivado_stand_in.install import make_install

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n'
MEET = """
[[step]]
name = "{name}"
entry = "testing:meet"
inputs = {{ model = "number.txt" }}
parameters = {{ word = "{name}", until = {until}, helper = {helper} }}
"""
THEN = """
[[step]]
name = "{name}"
entry = "testing:double"
inputs = {{ model = "{of}.model" }}
"""
ASK = """
[tools.vivado]
path = "{path}"
[[step]]
entry = "testing:ask-tool"
inputs = {{ model = "number.txt" }}
"""


def meet(name: str, *until: str, helper: bool = False) -> str:
    return MEET.format(name=name, until=list(until), helper=str(helper).lower())


def then(name: str, of: str) -> str:
    return THEN.format(name=name, of=of)


def words(cache: Path, word: str) -> list[Path]:
    """The sessions in which a step has left that word."""
    found = (cache / "sessions").glob(f"*/steps/.{word}")
    return [path.parent for path in found if ".tmp-" not in path.parents[1].name]  # such a folder is being removed


def holder(cache: Path, session: Path) -> int:
    """The worker that owns a session."""
    return int(json.loads((session.parent / "owner.json").read_text())["pid"])


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "build" / "b"


def test_a_build_runs_on_local_workers_and_tells_where_their_dashboard_is(
    cli: Any, tmp_path: Path, cache: Path, output: Path
) -> None:
    config = write(tmp_path, BUILD, meet("a"), meet("b"), then("c", "a"))
    done = cli("run", config, "--cluster", "local:2", "--verbose")
    assert done.returncode == 0, done.stderr
    assert statuses(output) == {"a": "ran", "b": "ran", "c": "ran"}
    assert "dashboard at http://127.0.0.1:" in done.stderr
    assert "a is here" in done.stderr
    assert "a is here" in (output / "steps" / "00-a" / "log.jsonl").read_text()
    assert result_of(output)["runtime"] == "process"
    assert processes_that_name(cache) == {}
    assert list((cache / "sessions").iterdir()) == []
    # A build with nothing to do starts none.
    again = cli("run", config, "--cluster", "local:2")
    assert set(statuses(output).values()) == {"recalled"}
    assert "dashboard" not in again.stderr


def test_what_a_worker_ran_that_was_killed_runs_elsewhere_and_what_it_had_made_does_not(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, output: Path
) -> None:
    config = write(tmp_path, BUILD, meet("a"), meet("b", "go", helper=True), then("c", "b"))
    kernel = begin("run", config, "--cluster", "local:2", "--verbose")
    (session,) = eventually(lambda: words(cache, "b.helps"))
    eventually(lambda: "step ended" in (output / "log.jsonl").read_text())
    eventually(lambda: "b is here" in (tmp_path / "begun.out").read_text())  # what a worker says is under way a while
    killed = holder(cache, session)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: all(str(session.parent.name) not in text for text in processes_that_name(cache).values()))
    (other,) = eventually(lambda: [path for path in words(cache, "b") if path != session])
    assert holder(cache, other) != killed
    (other / ".go").touch()
    assert kernel.wait(90) == 0
    assert statuses(output) == {"a": "ran", "b": "ran", "c": "ran"}
    said = (tmp_path / "begun.out").read_text()
    assert (said.count("a is here"), said.count("b is here")) == (1, 2)
    assert processes_that_name(cache) == {}


def test_workers_whose_forking_process_is_killed_end_and_are_replaced(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, output: Path
) -> None:
    kernel = begin("run", write(tmp_path, BUILD, meet("a", "go", helper=True)), "--cluster", "local:2")
    (session,) = eventually(lambda: words(cache, "a.helps"))
    worker = holder(cache, session)
    forker = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    assert forker != kernel.pid
    os.kill(forker, signal.SIGKILL)
    (other,) = eventually(lambda: [path for path in words(cache, "a") if path != session])
    eventually(lambda: not Path(f"/proc/{worker}").exists())
    (other / ".go").touch()
    assert kernel.wait(90) == 0
    assert statuses(output) == {"a": "ran"}
    assert processes_that_name(cache) == {}


def test_what_a_worker_ran_that_is_stopped_runs_elsewhere(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, output: Path
) -> None:
    soon = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"}
    kernel = begin("run", write(tmp_path, BUILD, meet("a", "go")), "--cluster", "local:2", **soon)
    (session,) = eventually(lambda: words(cache, "a"))
    stopped = holder(cache, session)
    # From then on the scheduler knows it.
    eventually(lambda: "Registered to" in Path(f"/proc/{stopped}/fd/2").read_text())
    os.kill(stopped, signal.SIGSTOP)
    (other,) = eventually(lambda: [path for path in words(cache, "a") if path != session])
    (other / ".go").touch()
    assert kernel.wait(90) == 0
    assert statuses(output) == {"a": "ran"}
    assert processes_that_name(cache) == {}


def test_a_step_that_worker_after_worker_dies_of_fails(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, output: Path
) -> None:
    once = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    kernel = begin("run", write(tmp_path, BUILD, meet("a", "never")), "--cluster", "local:1", **once)
    killed: set[Path] = set()
    for _ in range(2):
        (session,) = eventually(lambda: [path for path in words(cache, "a") if path not in killed])
        killed.add(session)
        os.kill(holder(cache, session), signal.SIGKILL)
    assert kernel.wait(90) == 3
    failure = result_of(output)["failure"]
    assert failure["category"] == "crash"
    assert "2 workers ended while running it" in failure["message"]
    assert processes_that_name(cache) == {}


def test_local_workers_end_with_a_build_that_is_killed_and_the_next_recalls_what_they_made(
    begin: Callable[..., subprocess.Popen[bytes]], cli: Any, tmp_path: Path, cache: Path, output: Path
) -> None:
    config = write(tmp_path, BUILD, meet("a"), meet("b", "go", helper=True))
    kernel = begin("run", config, "--cluster", "local:2")
    eventually(lambda: words(cache, "b.helps"))
    eventually(lambda: "step ended" in (output / "log.jsonl").read_text())
    kernel.kill()
    kernel.wait()
    eventually(lambda: processes_that_name(cache) == {})
    config = write(tmp_path, BUILD, meet("a"), meet("b", helper=False))
    assert cli("run", config, "--cluster", "local:1").returncode == 0
    assert statuses(output) == {"a": "recalled", "b": "ran"}
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_workers_and_steps(
    begin: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    cache: Path,
    output: Path,
    signum: signal.Signals,
) -> None:
    config = write(tmp_path, BUILD, meet("a", "never", helper=True), then("b", "a"))
    kernel = begin("run", config, "--cluster", "local:1", "--verbose")
    eventually(lambda: words(cache, "a.helps") and "a is here" in (tmp_path / "begun.out").read_text())
    kernel.send_signal(signum)
    assert kernel.wait(90) == 130
    assert statuses(output) == {"a": "interrupted", "b": "skipped"}
    assert "a is here" in (output / "steps" / "00-a" / "log.jsonl").read_text()
    assert processes_that_name(cache) == {}
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("local:0", "not a cluster address"),
        ("kubernetes", "local:N, tcp://HOST:PORT, tls://HOST:PORT, slurm, lsf, pbs"),
        ("tcp://127.0.0.1:1", "set store.shared"),
        ("slurm", "set store.shared"),
    ],
)  # fmt: skip
def test_what_no_cluster_can_be_is_told_before_anything_runs(cli: Any, tmp_path: Path, where: str, says: str) -> None:
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", where)
    assert done.returncode == 2
    assert says in done.stderr
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", where, "--keep-warm", "1m")
    assert done.returncode == 2


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="Slurm is here")
def test_without_a_batch_system_no_job_is_waited_for(
    cli: Any, surroundings: dict[str, str], shared: dict[str, str], tmp_path: Path, output: Path
) -> None:
    surroundings.update(shared)
    done = cli(
        "run", write(tmp_path, BUILD, meet("a"), '[cluster]\ncores = 1\nmemory = "1GB"\n'), "--cluster", "slurm"
    )
    assert done.returncode == 4
    failure = result_of(output)["failure"]
    assert "does not accept jobs" in failure["message"]
    assert "sbatch" in failure["message"]
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", "slurm")
    assert done.returncode == 2
    assert "set cores and memory in [cluster]" in done.stderr


# A scheduler of its own, for all tests, and for each its workers, which share nothing with the build but a store.


@pytest.fixture(scope="module")
def scheduler(root: Path, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    variables = {**os.environ, "BSKERNEL_ROOT": str(root), "BSKERNEL_RUNTIME": "process"}
    cluster = Cluster(tmp_path_factory.mktemp("machines"), environments, variables)
    yield cluster
    cluster.leave()


@pytest.fixture
def cluster(scheduler: Cluster) -> Iterator[Cluster]:
    variables = dict(scheduler.variables)
    yield scheduler
    scheduler.variables = variables
    for name in [name for name in scheduler.processes if name != "scheduler"]:
        scheduler.end(name)


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, str]:
    return stored_in(tmp_path / "shared")


def test_what_no_worker_has_is_told_at_once_and_what_one_has_is_used(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    cli: Any,
    shared: dict[str, str],
    surroundings: dict[str, str],
    tmp_path: Path,
    output: Path,
) -> None:
    config = write(tmp_path, BUILD, ASK.format(path=make_install(tmp_path / "Xilinx")))
    # While there is no worker nobody knows what they will have: a step waits, and says so once the first is there.
    kernel = begin("run", config, "--cluster", cluster.address, **shared)
    eventually(lambda: "dashboard" in (tmp_path / "begun.out").read_text())
    cluster.worker("one")
    told = "no worker of the cluster declares the resource vivado: step ask-tool waits for one"
    eventually(lambda: told in (tmp_path / "begun.out").read_text())
    kernel.terminate()
    assert kernel.wait(30) == 130
    surroundings.update(shared)
    done = cli("run", config, "--cluster", cluster.address)
    assert done.returncode == 4
    assert "no worker of the cluster declares the resource vivado" in result_of(output)["failure"]["message"]
    cluster.worker("two", "--resources", "vivado=1,memory_mib=1000")
    eventually(lambda: "Registered to" in (cluster.folder / "two.log").read_text())
    done = cli("run", config, "--cluster", cluster.address)
    assert done.returncode == 0, done.stderr
    assert len(list((cluster.cache("two") / "actions").glob("*/*"))) == 1


def test_items_run_on_workers_that_share_a_store_alone(
    cluster: Cluster, cli: Any, shared: dict[str, str], surroundings: dict[str, str], tmp_path: Path, output: Path
) -> None:
    cluster.have("one", "two")
    surroundings.update(shared)
    for folders, told in ((THREE, "2 ran"), ({**THREE, "b": {"x": "5"}}, "1 ran, 1 recalled")):
        done = cli("run", write(tmp_path, WEIGHED.format(folders=folders)), "--cluster", cluster.address)
        assert done.returncode == 0, done.stderr
        assert f"3 items, 2 different: {told}" in done.stderr
        model = json.loads((output / "artifacts" / "model").read_text())
        assert model["weights"] == {"a": 3, "b": int(folders["b"]["x"]), "c": 3}
        assert model["files"] == {"a": 2, "b": 1, "c": 2}


def test_workers_sign_what_they_write_to_a_signed_store(
    cluster: Cluster, cli: Any, shared: dict[str, str], surroundings: dict[str, str], tmp_path: Path
) -> None:
    cluster.have("one", "two")
    private, public = write_pair(tmp_path, "ci")
    surroundings.update(shared, BSKERNEL_STORE_SIGNED_BY=public, BSKERNEL_STORE_SIGN_WITH=private)
    config = write(tmp_path, WEIGHED.format(folders=THREE))
    done = cli("run", config, "--cluster", cluster.address)
    assert done.returncode == 0, done.stderr
    results = [path.read_bytes() for path in Path(shared["BSKERNEL_STORE"]).glob("actions/*/*")]
    key = read_public_key(Path(public).read_bytes(), public)
    assert results
    assert all(is_signed_by(decode_envelope(data), key) for data in results)
    assert "not signed" not in done.stderr


def test_a_worker_without_the_checkout_says_so(
    cluster: Cluster, cli: Any, shared: dict[str, str], surroundings: dict[str, str], tmp_path: Path, output: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    cluster.variables["BSKERNEL_ROOT"] = str(tmp_path / "elsewhere")
    cluster.worker("one")
    surroundings.update(shared)
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", cluster.address)
    assert done.returncode == 4
    failure = result_of(output)["failure"]
    assert "executors' recipes" in failure["message"]
    assert "BSKERNEL_ROOT" in failure["hint"]


def test_a_cluster_without_bskernel_is_told(
    cluster: Cluster, cli: Any, shared: dict[str, str], surroundings: dict[str, str], tmp_path: Path, output: Path
) -> None:
    (tmp_path / "bskernel.py").write_text("raise ImportError('not installed')")
    cluster.variables["PYTHONPATH"] = str(tmp_path)
    cluster.worker("one")
    surroundings.update(shared)
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", cluster.address)
    assert done.returncode == 4
    failure = result_of(output)["failure"]
    assert "cannot import bskernel" in failure["message"]
    assert "bskernel[cluster]" in failure["hint"]


def test_a_build_whose_scheduler_is_killed_says_so_and_the_next_goes_on(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    shared: dict[str, str],
    tmp_path: Path,
    output: Path,
) -> None:
    cluster.worker("one", "--nthreads", "2")  # which of two steps starts first is open
    config = write(tmp_path, BUILD, meet("a"), meet("b", "go"))
    kernel = begin("run", config, "--cluster", cluster.address, **shared)
    eventually(lambda: words(cluster.cache("one"), "b"))
    eventually(lambda: "step ended" in (output / "log.jsonl").read_text())
    cluster.kill("scheduler")
    assert kernel.wait(90) == 4
    assert "scheduler was lost" in result_of(output)["failure"]["message"]
    eventually(lambda: cluster.processes["one"].poll() is not None)
    assert list((cluster.cache("one") / "sessions").iterdir()) == []
    cluster.scheduler()
    cluster.worker("one")
    kernel = begin("run", config, "--cluster", cluster.address, **shared)
    (session,) = eventually(lambda: words(cluster.cache("one"), "b"))
    (session / ".go").touch()
    assert kernel.wait(90) == 0
    assert statuses(output) == {"a": "recalled", "b": "ran"}


def test_a_worker_of_another_version_says_so(
    cluster: Cluster, cli: Any, shared: dict[str, str], surroundings: dict[str, str], tmp_path: Path, output: Path
) -> None:
    other = tmp_path / "other" / "bskernel"
    shutil.copytree(Path(bskernel.__file__).parent, other, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "more.py").write_text("")
    cluster.variables["PYTHONPATH"] = str(other.parent)
    cluster.worker("one")
    surroundings.update(shared)
    done = cli("run", write(tmp_path, BUILD, meet("a")), "--cluster", cluster.address)
    assert done.returncode == 4
    failure = result_of(output)["failure"]
    assert "another version of bskernel" in failure["message"]
    assert "restart the worker" in failure["hint"]
