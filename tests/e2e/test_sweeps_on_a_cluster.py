"""Sweeps on two machines, each with a cache of its own, and a store that they share: what runs where, how often."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.builds import write
from support.dask_cluster import Cluster, processes_that_name, stored_in
from support.eventually import eventually
from support.s3_server import BUCKET, S3Server
from vivado_stand_in.install import make_install

# 10 is added for all points, then what the point sets, then one: so "own-17" is the second step of point 2.
STEPS = """
[build]
name = "b"
model = "number.txt"

[[step]]
name = "shared"
entry = "testing:count"
parameters = {{ word = "shared", folder = "{folder}", number = 10 }}
[[step]]
name = "own"
entry = "testing:{own}"
parameters = {{ word = "own", folder = "{folder}", fails_at = {fails_at} }}
[[step]]
name = "costly"
entry = "testing:count"
parameters = {{ word = "costly", folder = "{folder}", number = 1 }}
"""
GRID = """
[sweep]
{goals}
[sweep.grid]
"target.target_fps" = {values}
"""
POINTS = range(1, 7)
ALL = {"shared-15": 1} | {f"own-{15 + at}": 1 for at in POINTS} | {f"costly-{16 + at}": 1 for at in POINTS}


class Counts:
    """A folder in which every run of a step leaves its file, on whichever machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind in ("began", "runs", "done", "hold"):
            (folder / kind).mkdir(parents=True)

    def _runs(self, kind: str) -> Counter[str]:
        return Counter(path.stem for path in (self.folder / kind).iterdir())

    @property
    def began(self) -> Counter[str]:
        return self._runs("began")

    @property
    def done(self) -> Counter[str]:
        return self._runs("done")

    def hold(self, *names: str) -> None:
        for name in names:
            (self.folder / "hold" / name).touch()

    def let_go(self) -> None:
        for path in (self.folder / "hold").iterdir():
            path.unlink()

    def where(self, cluster: Cluster) -> set[str]:
        """The workers that have run steps."""
        places = [Path(path.read_text()) for path in (self.folder / "began").iterdir()]
        return {name for name in ("one", "two") if any(cluster.cache(name) in place.parents for place in places)}

    def on(self, cache: Path, name: str) -> bool:
        """Has that run begun there?"""
        return any(cache in Path(path.read_text()).parents for path in (self.folder / "began").glob(f"{name}.*"))

    def alive(self) -> set[str]:
        """The runs whose processes live."""
        return {path.stem for path in (self.folder / "runs").iterdir() if is_locked(path)}

    def beside(self, word: str) -> list[int]:
        """Of each run of that step, how many ran when it ended, itself among them."""
        return [int(path.read_text()) for path in (self.folder / "done").glob(f"{word}-*")]


def is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@pytest.fixture
def counts(tmp_path: Path) -> Counts:
    return Counts(tmp_path / "counts")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def machines(
    root: Path, environments: Path, server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    variables = {**os.environ, **server.environment, "BSKERNEL_ROOT": str(root), "BSKERNEL_RUNTIME": "process"}
    cluster = Cluster(tmp_path_factory.mktemp("machines"), environments, variables)
    yield cluster
    cluster.leave()


@pytest.fixture
def cluster(machines: Cluster) -> Cluster:
    """Both machines, whatever the test before has done to them."""
    machines.have("one", "two")
    return machines


class Shared:
    """A shared store of this test."""

    def __init__(self, variables: dict[str, str], keys: Callable[[], set[str]]) -> None:
        self.variables = variables
        self.keys = keys  # of the results in it


@pytest.fixture
def folder(tmp_path: Path) -> Shared:
    there = tmp_path / "shared"
    return Shared(stored_in(there), lambda: {path.name for path in there.glob("actions/*/*")})


@pytest.fixture
def bucket(tmp_path: Path, server: S3Server) -> Shared:
    prefix = tmp_path.name
    where = {"BSKERNEL_STORE": f"s3://{BUCKET}/{prefix}", "BSKERNEL_STORE_MODE": "write-through"}
    start = f"{prefix}/actions/"
    return Shared(
        where | server.environment,
        lambda: {key.rpartition("/")[2] for key in server.objects() if key.startswith(start)},
    )


def write_sweep(
    folder: Path,
    *,
    values: str = str(list(POINTS)),
    goals: str = "",
    own: str = "count",
    fails_at: str = "[]",
    more: str = "",
) -> str:
    steps = STEPS.format(folder=folder / "counts", own=own, fails_at=fails_at)
    return write(folder, steps, more, GRID.format(goals=goals, values=values))


def output_of(folder: Path) -> Path:
    return folder / "build" / "b-sweep"


def sweep_of(output: Path) -> Any:
    return json.loads((output / "sweep.json").read_text())


def rows_of(output: Path) -> dict[int, Any]:
    return {row["settings"]["target.target_fps"]: row for row in sweep_of(output)["table"]["rows"]}


def point_statuses(output: Path) -> dict[int, str]:
    return {value: row["status"] for value, row in rows_of(output).items()}


def points(output: Path) -> dict[Path, bytes]:
    """What the points' directories hold that does not tell of when and where they were built."""
    told = {"steps", "artifacts", "metrics.json", "config.json"}
    files = [path.relative_to(output) for path in output.glob("points/**/*") if path.is_file()]
    held = {path: (output / path).read_bytes() for path in files if path.parts[2] in told}
    return {
        path: re.sub(rb'"seconds":[0-9.e-]+', b"", data) if path.name == "log.jsonl" else data
        for path, data in held.items()
    }


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_machines_that_share_a_store_run_every_distinct_action_once_and_make_the_points_that_one_alone_makes(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    cli: Any,
    tmp_path: Path,
    counts: Counts,
    cache: Path,
    kind: str,
) -> None:
    shared: Shared = request.getfixturevalue(kind)
    config, output = write_sweep(tmp_path), output_of(tmp_path)
    counts.hold("own-16", "own-17")
    kernel = begin("sweep", config, "--cluster", cluster.address, **shared.variables)
    eventually(lambda: len(counts.began) >= 3)
    counts.let_go()
    assert kernel.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert set(point_statuses(output).values()) == {"ok"}
    assert counts.began == counts.done == ALL
    assert counts.where(cluster) == {"one", "two"}
    kept = sweep_of(output)
    assert [kept["counts"][name] for name in ("actions", "ran", "recalled")] == [len(ALL), len(ALL), 0]
    assert len(shared.keys()) == len(ALL)
    assert list((cache / "actions").glob("*/*")) == []  # the sweep itself makes nothing
    # Nor does it fetch what no point's directory holds: 15 is the model of the first step, and of no last one.
    fetched = {path.read_bytes() for path in (cache / "blobs").glob("*/*")}
    assert b"22" in fetched
    assert b"15" not in fetched
    again = begin("sweep", config, "--cluster", cluster.address, **shared.variables)
    assert again.wait(90) == 0
    assert sweep_of(output)["counts"]["recalled"] == len(ALL)
    assert counts.began == ALL
    made = points(output)
    alone = cli("sweep", config, "--output", str(tmp_path / "alone"), "--fresh")
    assert alone.returncode == 0, alone.stderr
    assert counts.began == dict.fromkeys(ALL, 2)
    assert points(tmp_path / "alone") == made
    assert len(made) >= len(POINTS) * (3 * 3 + 4)


def test_what_a_worker_had_made_that_is_killed_is_recalled_and_what_it_ran_runs_elsewhere(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    folder: Shared,
    tmp_path: Path,
    counts: Counts,
) -> None:
    config, output = write_sweep(tmp_path), output_of(tmp_path)
    counts.hold("costly-18", "costly-20")
    kernel = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    eventually(lambda: {"costly-18", "costly-20"} <= counts.began.keys())
    eventually(lambda: len(folder.keys()) == len(counts.done))
    made = dict(counts.done)
    held = ["costly-18", "costly-20"]
    lost = next(name for name in held if counts.on(cluster.cache("one"), name))
    cluster.kill("one")
    counts.let_go()
    assert kernel.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert set(point_statuses(output).values()) == {"ok"}
    assert {name: counts.began[name] for name in made} == made
    assert counts.began == ALL | {lost: 2}
    assert counts.done == ALL
    # A worker that comes back removes what the one that was killed has left.
    left = list(cluster.cache("one").glob("sessions/*"))
    assert left
    cluster.have("one")
    counts.hold("own-115", "own-116")
    begin("sweep", write_sweep(tmp_path, values="[100, 101]"), "--cluster", cluster.address, **folder.variables)
    eventually(lambda: {"own-115", "own-116"} <= counts.began.keys())
    assert not any(path.exists() for path in left)


def test_a_sweep_that_is_killed_leaves_nothing_running_and_goes_on_with_what_is_missing(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    folder: Shared,
    tmp_path: Path,
    counts: Counts,
) -> None:
    config, output = write_sweep(tmp_path), output_of(tmp_path)
    counts.hold("costly-18", "costly-20")
    kernel = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    eventually(lambda: {"costly-18", "costly-20"} <= counts.began.keys())
    eventually(lambda: len(folder.keys()) == len(counts.done))
    made, sessions = dict(counts.done), sessions_of(cluster)
    kernel.kill()
    kernel.wait()
    # The workers end what nobody waits for any more.
    eventually(lambda: not counts.alive())
    counts.let_go()
    again = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    assert again.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert set(point_statuses(output).values()) == {"ok"}
    assert {name: counts.began[name] for name in made} == made
    assert counts.done == ALL
    assert counts.began == ALL | {"costly-18": 2, "costly-20": 2}
    assert sessions_of(cluster) == sessions  # the workers' own, which serve the next


def sessions_of(cluster: Cluster) -> set[Path]:
    return {path for name in ("one", "two") for path in cluster.cache(name).glob("sessions/*")}


def test_without_the_server_of_the_shared_store_points_fail_and_nothing_that_was_made_is_lost(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    server: S3Server,
    bucket: Shared,
    tmp_path: Path,
    counts: Counts,
) -> None:
    config, output = write_sweep(tmp_path), output_of(tmp_path)
    counts.hold("costly-18", "costly-20")
    kernel = begin("sweep", config, "--cluster", cluster.address, **bucket.variables)
    eventually(lambda: {"costly-18", "costly-20"} <= counts.began.keys())
    eventually(lambda: len(bucket.keys()) == len(counts.done))
    made, disk = dict(counts.done), server.objects()
    server.kill()
    try:
        counts.let_go()
        assert kernel.wait(300) == 4, (tmp_path / "begun.out").read_text()
        reasons = [row["reason"] for row in rows_of(output).values() if row["status"] == "failed"]
        assert any("cannot be uploaded" in reason for reason in reasons), reasons
    finally:
        server.start()
        server.restore(disk)
    kept = next(name for name in ("costly-18", "costly-20") if counts.on(cluster.cache("one"), name))
    # A worker leaves a store that failed alone for a while: one that starts now does not know.
    cluster.end("two")
    cluster.end("one")
    cluster.have("one")
    again = begin("sweep", config, "--cluster", cluster.address, **bucket.variables)
    assert again.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert set(point_statuses(output).values()) == {"ok"}
    # Nor does what a worker had made and could not hand over.
    assert {name: counts.began[name] for name in (*made, kept)} == {**made, kept: 1}
    assert counts.done.keys() == ALL.keys()


def test_a_sweep_whose_scheduler_is_killed_says_so_and_goes_on_when_there_is_one_again(
    cluster: Cluster, begin: Callable[..., subprocess.Popen[bytes]], folder: Shared, tmp_path: Path, counts: Counts
) -> None:
    config, output = write_sweep(tmp_path, more="[limits]\njobs = 2\n"), output_of(tmp_path)
    counts.hold("own-18", "own-20")
    kernel = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    eventually(lambda: {"own-18", "own-20"} <= counts.began.keys())
    eventually(lambda: len(folder.keys()) == len(counts.done))
    made = dict(counts.done)
    # At most two at once, so that steps of other points would begin after that.
    cluster.kill("scheduler")
    assert kernel.wait(90) == 4, (tmp_path / "begun.out").read_text()
    reasons = [row["reason"] for row in rows_of(output).values() if row["status"] == "failed"]
    assert all("scheduler was lost" in reason for reason in reasons)
    eventually(lambda: not counts.alive())
    counts.let_go()
    cluster.stop()
    cluster.scheduler()
    cluster.have("one", "two")
    again = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    assert again.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert {name: counts.began[name] for name in made} == made
    assert counts.done == ALL


def test_a_step_that_fails_and_a_requirement_that_is_broken_concern_their_points_alone(
    cluster: Cluster, begin: Callable[..., subprocess.Popen[bytes]], folder: Shared, tmp_path: Path, counts: Counts
) -> None:
    config = write_sweep(tmp_path, goals='require = "number < 20"', fails_at="[17]")
    kernel = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    assert kernel.wait(90) == 3, (tmp_path / "begun.out").read_text()
    rows = rows_of(output_of(tmp_path))
    told = {value: row["status"] for value, row in rows.items()}
    # Point 4 breaks it only when all of it is built.
    assert told == {1: "ok", 2: "failed", 3: "ok", 4: "stopped", 5: "stopped", 6: "stopped"}
    assert rows[2]["reason"] == "step own: kernel: 17 cannot be"
    assert rows[5]["reason"] == "number < 20 does not hold: number@estimate is 20"
    assert counts.began == {name: 1 for name in ALL if name not in {"costly-18", "costly-21", "costly-22"}}


def test_steps_wait_for_what_the_last_worker_had_and_limits_hold_whatever_workers_declare(
    machines: Cluster, begin: Callable[..., subprocess.Popen[bytes]], folder: Shared, tmp_path: Path, counts: Counts
) -> None:
    machines.have("one")
    machines.end_if_there("two")
    machines.worker("two", "--resources", "vivado=1")
    tool = f'[tools.vivado]\npath = "{make_install(tmp_path / "Xilinx")}"\n'
    config = write_sweep(tmp_path, values="[1, 2]", own="count-with-vivado", more=tool)
    counts.hold("own-16", "own-17")
    kernel = begin("sweep", config, "--cluster", machines.address, **folder.variables)
    (run,) = eventually(lambda: list((counts.folder / "runs").glob("own-*")))
    machines.kill("two")
    run.unlink()
    told = "no worker of the cluster declares the resource vivado: step own waits for one"
    eventually(lambda: told in (tmp_path / "begun.out").read_text())
    machines.worker("two", "--resources", "vivado=2", "--nthreads", "2")
    try:
        # What the build does not limit, the workers alone do.
        eventually(lambda: len(list((counts.folder / "runs").glob("own-*"))) == 2)
        counts.let_go()
        assert kernel.wait(90) == 0, (tmp_path / "begun.out").read_text()
        assert (tmp_path / "begun.out").read_text().count(told) == 1
        assert 2 in counts.beside("own")
        limits = f"{tool}[limits]\nresources = {{ vivado = 1 }}\n"
        write_sweep(tmp_path, values="[3, 4, 5, 6]", own="count-with-vivado", more=limits)
        for path in (counts.folder / "done").iterdir():
            path.unlink()
        kernel = begin("sweep", config, "--cluster", machines.address, **folder.variables)
        assert kernel.wait(90) == 0, (tmp_path / "begun.out").read_text()
        assert counts.beside("own") == [1, 1, 1, 1]
    finally:
        machines.end("two")


def test_what_is_damaged_in_the_shared_store_is_mended_by_the_worker_that_has_it(
    cluster: Cluster,
    begin: Callable[..., subprocess.Popen[bytes]],
    folder: Shared,
    tmp_path: Path,
    cache: Path,
    counts: Counts,
) -> None:
    config, output = write_sweep(tmp_path, values="[1]"), output_of(tmp_path)
    assert begin("sweep", config, "--cluster", cluster.address, **folder.variables).wait(90) == 0
    made = points(output)
    damaged = [path for path in tmp_path.glob("shared/blobs/*/*") if path.read_bytes() == b"17"]
    for path in damaged:
        path.write_bytes(b"71")
    assert len(damaged) == 1
    for name in ("actions", "blobs"):
        shutil.rmtree(cache / name, ignore_errors=True)
    shutil.rmtree(output)
    # Another worker would have nothing to mend it with.
    other = next(name for name in ("one", "two") if not counts.on(cluster.cache(name), "costly-17"))
    cluster.end(other)
    again = begin("sweep", config, "--cluster", cluster.address, **folder.variables)
    assert again.wait(90) == 0, (tmp_path / "begun.out").read_text()
    assert set(counts.began.values()) == {1}
    assert points(output) == made
    assert damaged[0].read_bytes() == b"17"


@pytest.mark.parametrize("where", ["scheduler", "local:2"])
def test_an_interrupt_ends_a_sweep_and_all_that_it_runs_at_once(
    request: pytest.FixtureRequest,
    begin: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    cache: Path,
    counts: Counts,
    where: str,
) -> None:
    if where == "scheduler":
        where, variables = request.getfixturevalue("cluster").address, request.getfixturevalue("folder").variables
    else:
        variables = {}
    counts.hold("own-17", "own-18")
    kernel = begin("sweep", write_sweep(tmp_path), "--cluster", where, **variables)
    eventually(lambda: {"own-17", "own-18"} <= counts.began.keys())
    assert counts.alive() == {"own-17", "own-18"}
    kernel.send_signal(signal.SIGINT)
    assert kernel.wait(30) == 130
    kept = sweep_of(output_of(tmp_path))
    assert kept["status"] == "interrupted"
    assert {"interrupted"} <= set(point_statuses(output_of(tmp_path)).values())
    eventually(lambda: not counts.alive())
    assert processes_that_name(cache) == {}
    assert not (cache / "sessions").exists() or list((cache / "sessions").iterdir()) == []
    counts.let_go()


@pytest.mark.parametrize(("where", "says"), [("kubernetes", "not a cluster address"), ("slurm", "set store.shared")])
def test_what_no_cluster_can_be_is_told_and_an_earlier_sweep_stays(
    cli: Any, tmp_path: Path, counts: Counts, where: str, says: str
) -> None:
    config, output = write_sweep(tmp_path, values="[1]"), output_of(tmp_path)
    assert cli("sweep", config).returncode == 0
    kept = sweep_of(output)
    done = cli("sweep", config, "--cluster", where)
    assert (done.returncode, says in done.stderr) == (2, True)
    assert sweep_of(output) == kept
    assert sum(counts.began.values()) == 3


def test_a_search_on_local_workers_builds_the_points_that_it_builds_without(
    cli: Any, tmp_path: Path, counts: Counts, cache: Path
) -> None:
    pytest.importorskip("optuna")
    goals = 'maximize = "number"\nsearch = { trials = 6, batch = 2, seed = 3 }'
    config = write_sweep(tmp_path, values=str(list(range(1, 41))), goals=goals)
    done = cli("sweep", config, "--cluster", "local:2", "--json")
    assert done.returncode == 0, done.stderr
    assert set(counts.began.values()) == {1}
    assert done.stderr.count("dashboard") == 1
    found = json.loads(done.stdout)["table"]["rows"]
    for kind in ("actions", "blobs"):
        shutil.rmtree(cache / kind)
    alone = cli("sweep", config, "--json", "--output", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    assert [told_by(row) for row in json.loads(alone.stdout)["table"]["rows"]] == [told_by(row) for row in found]
    assert counts.began == dict.fromkeys(counts.began, 2)


def told_by(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "directory"}
