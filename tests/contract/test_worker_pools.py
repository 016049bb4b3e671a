"""What every crew must do: on this machine, on two workers of this machine, and on those of a scheduler."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bskernel.config import BuildSection, Config, Flow, LimitsSection, StepTable, StoreSection
from bskernel.core.action import Action, action_of
from bskernel.core.step import Step
from bskernel.execution.worker_pool import Completion, PoolEvent, StepEvent
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.runtime.session_dirs import processes_of
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.worker_pools import PoolHandle
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import Artifact, OutputDescription, OutputLine, Progress
from support.dask_cluster import Cluster
from support.eventually import eventually

FLOW = Flow(step=(StepTable(entry="testing:add"),))
CONFIG = Config(build=BuildSection(model="number"), limits=LimitsSection(jobs=4, resources={"vivado": 1}))


class Floor:
    """A crew with an executor without domain libraries, and what it has said."""

    def __init__(self, workspace: Workspace, handle: PoolHandle, folder: Path) -> None:
        self.workspace = workspace
        self.pool = handle.pool
        (folder / "number").write_text("5")
        self.five = workspace.store.capture(folder / "number", "model", "file", "text/plain")
        self.heard: list[PoolEvent] = []

    def begin(
        self, name: str, entry: str, *, needs: tuple[str, ...] = (), **parameters: object
    ) -> tuple[Step, Action]:
        ref = self.workspace.executors.known[0].ref
        out = OutputDescription(name="model", kind="file")
        step = Step(
            index=0,
            name=name,
            executor=ref,
            entry=entry,
            parameters=parameters,
            inputs={},
            outputs=(out,),
            needs=needs,
        )
        inputs: dict[str, Artifact] = {"model": self.five}
        action = action_of(step, inputs)
        self.pool.expect([ref])
        self.pool.begin(step, action, inputs)
        return step, action

    def hear(self) -> PoolEvent:
        said = self.pool.events.get(timeout=60)
        if isinstance(said, Completion) and said.error is not None:
            raise said.error
        self.heard.append(said)
        return said

    def wait_for(self, *names: str) -> dict[str, Completion]:
        """How these ended; all that was said until then is heard."""
        done = {said.step.name: said for said in self.heard if isinstance(said, Completion)}
        while not done.keys() >= set(names):
            said = self.hear()
            if isinstance(said, Completion):
                done[said.step.name] = said
        return done

    def words(self, word: str) -> list[Path]:
        found = (self.workspace.cache / "sessions").glob(f"*/steps/.{word}")
        return [path.parent for path in found if ".tmp-" not in path.parents[1].name]  # that one is being removed

    def number(self, done: Completion) -> int:
        assert done.outcome.result is not None, done
        model = done.outcome.result.output("model")
        assert model is not None
        return int(self.workspace.store.get(model.digest) or b"")


@contextlib.contextmanager
def hire(workspace: Workspace, cluster: str | None, shared: Path | None = None) -> Iterator[PoolHandle]:
    store = StoreSection() if shared is None else StoreSection(shared=str(shared), mode="write-through")
    config = msgspec.structs.replace(CONFIG, store=store)
    loaded = LoadedConfig(config=config, path=workspace.cache / "build.toml", flow=FLOW)
    options = BuildOptions(runtime="process", cluster=cluster)
    with (
        workspace.open_store(loaded, print) as opened,
        workspace.pool(loaded, opened.store, options, note=print) as handle,
    ):
        yield handle


@contextlib.contextmanager
def scheduler_of(workspace: Workspace, folder: Path, root: Path, environments: Path) -> Iterator[str]:
    """The address of a scheduler with two workers, which use the workspace's cache, so that tests find sessions."""
    variables = {**os.environ, "BSKERNEL_ROOT": str(root), "BSKERNEL_RUNTIME": "process"}
    cluster = Cluster(folder, environments, variables)
    try:
        for name, arguments in (("one", ("--resources", "vivado=1")), ("two", ())):
            cluster.cache(name).symlink_to(workspace.cache)
            cluster.worker(name, *arguments)
        logs = [folder / "one.log", folder / "two.log"]
        eventually(lambda: all("Registered to" in log.read_text() for log in logs))
        yield cluster.address
    finally:
        cluster.leave()


def application_in(folder: Path, root: Path, environments: Path) -> Workspace:
    cache = folder / "cache"
    cache.mkdir()
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    return Workspace(root, cache)


@pytest.fixture(scope="module", params=[None, "local:2", "scheduler"], ids=["here", "workers-here", "scheduler"])
def crowd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path, environments: Path
) -> Iterator[tuple[Workspace, PoolHandle]]:
    workspace = application_in(tmp_path_factory.mktemp("crew"), root, environments)
    with contextlib.ExitStack() as stack:
        where, shared = request.param, None
        if where == "scheduler":
            folder = tmp_path_factory.mktemp("machines")
            (shared := folder / "shared").mkdir()
            where = stack.enter_context(scheduler_of(workspace, folder, root, environments))
        yield workspace, stack.enter_context(hire(workspace, where, shared))
    assert list((workspace.cache / "sessions").glob("*")) == []


@pytest.fixture
def floor(crowd: tuple[Workspace, PoolHandle], tmp_path: Path) -> Floor:
    return Floor(*crowd, tmp_path)


def test_what_a_step_says_comes_before_its_end_and_its_result_is_in_the_store(floor: Floor) -> None:
    step, action = floor.begin("a", "add", number=2)
    done = floor.wait_for("a")["a"]
    assert floor.number(done) == 7
    assert done.step == step
    assert not done.recalled
    assert done.outcome.peak_mib is not None
    assert b"adding 2" in done.outcome.log
    events = [said.event for said in floor.heard if isinstance(said, StepEvent)]
    assert [event.text for event in events if isinstance(event, OutputLine | Progress)] == ["adding 2", "added"]
    assert {str(getattr(event, "directory", None)).rpartition("/")[2] for event in events} == {step.label}
    assert isinstance(floor.heard[-1], Completion)
    assert floor.workspace.store.recall(action) == done.outcome.result
    assert floor.pool.runtime_name == "process"


def test_what_was_made_meanwhile_is_recalled(floor: Floor) -> None:
    floor.begin("a", "add", number=3)
    first = floor.wait_for("a")["a"]
    floor.begin("b", "add", number=3)
    second = floor.wait_for("b")["b"]
    assert (first.recalled, second.recalled) == (False, True)
    assert second.outcome.result == first.outcome.result


def test_a_failure_comes_back_whole_and_is_not_remembered(floor: Floor) -> None:
    for name in ("a", "b"):
        _, action = floor.begin(name, "misbehave", how="refuse")
        failure = floor.wait_for(name)[name].outcome.failure
        assert failure is not None
        assert (failure.category, failure.hint) == ("kernel", "keep it on the host")
        assert floor.workspace.store.recall(action) is None


def test_steps_run_at_once_also_under_one_label(floor: Floor) -> None:
    for name in ("a", "b"):
        floor.begin(name, "meet", word=f"at-once-{name}", until=["all-here"])
    eventually(lambda: floor.words("at-once-a") and floor.words("at-once-b"))
    for session in {*floor.words("at-once-a"), *floor.words("at-once-b")}:
        (session / ".all-here").touch()
    assert {floor.number(done) for done in floor.wait_for("a", "b").values()} == {1}


@pytest.mark.parametrize("where", [None, "local:1"], ids=["here", "workers-here"])
def test_an_interrupt_ends_what_runs_with_all_that_it_started(
    tmp_path: Path, root: Path, environments: Path, where: str | None
) -> None:
    # Another crew than the one that the other tests go on with.
    workspace = application_in(tmp_path, root, environments)
    with hire(workspace, where) as handle:
        floor = Floor(workspace, handle, tmp_path)
        floor.begin("a", "meet", word="a", until=["never"], helper=True)
        (session,) = eventually(lambda: floor.words("a"))
        eventually(lambda: floor.words("a.helps"))
        floor.pool.interrupt()
        done = floor.wait_for("a")["a"]
        assert (done.outcome.result, done.outcome.failure) == (None, None)
        if where is not None:
            # The worker lives on, and its session with it, with the supervisor, the server, maybe a child that still
            # warms up, and one that waits for the next step.
            eventually(lambda: len(processes_of(session.parent.name)) <= 4)
    assert processes_of(session.parent.name) == []
    assert list((workspace.cache / "sessions").glob("*")) == []


@pytest.mark.parametrize("crowd", ["local:2", "scheduler"], indirect=True, ids=["workers-here", "scheduler"])
def test_of_what_there_is_one_two_workers_never_have_two(floor: Floor) -> None:
    floor.begin("a", "meet", word="one", until=["go-on"], needs=("vivado",))
    floor.begin("b", "meet", word="two", until=["go-on"], needs=("vivado",))
    # It would have come after both, had there been room for both.
    floor.begin("c", "double")
    floor.wait_for("c")
    (session,) = eventually(lambda: floor.words("one"))
    assert floor.words("two") == []
    (session / ".go-on").touch()
    floor.wait_for("a")
    (session,) = eventually(lambda: floor.words("two"))
    (session / ".go-on").touch()
    floor.wait_for("b")
    assert [said.step.name for said in floor.heard if isinstance(said, Completion)] == ["c", "a", "b"]
