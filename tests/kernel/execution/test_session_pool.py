"""Which step runs in which session beside which: with sessions that carry out nothing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import SessionEnded, SessionFailed
from bskernel.core.observers import SilentObserver
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.step_report import EndedStep
from bskernel.core.tool import ToolInstall
from bskernel.execution.plan_run import run_plan
from bskernel.execution.session_pool import PoolStopped, SessionPool
from bskernel.execution.step_runner import recycle, run_step
from bskernel.execution.worker_pool import LocalWorkerPool
from bskernel.flow.selection import Bound, Range
from bskernel.plan.planner import Plan
from bskernel.store import DiskStore
from bskernel_protocol import PROTOCOL_VERSION, Event, Failure, OutputDescription, StepResult, encode
from support.eventually import eventually

E = ExecutorRef(name="e", version="1", digest="d")


def step(name: str, index: int = 0, memory_mib: int | None = None) -> Step:
    out = OutputDescription(name="model", kind="file", media_type="x")
    return Step(
        index=index,
        name=name,
        executor=E,
        entry=name,
        parameters={},
        inputs={},
        outputs=(out,),
        memory_mib=memory_mib,
    )


def name_of(directory: str) -> str:
    """A step directory's name in its slot."""
    return directory.rpartition("/")[2]


class Fake:
    """A session whose steps end as they are told to."""

    def __init__(self, root: Path, ends: Callable[[str], SessionEnded]) -> None:
        self.root, self.inputs_root = root / "steps", root / "inputs"
        for folder in (self.root, self.inputs_root):
            folder.mkdir(parents=True, exist_ok=True)
        self.seals_inputs = False
        self.over = False
        self.interrupted = False
        self._ends = ends

    def run(
        self, directory: str, *, timeout_s: float | None, memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:  # fmt: skip
        ended = self._ends(name_of(directory))
        if ended.exit_code is not None and ended.exit_code < 0:
            return ended  # killed by a signal, it leaves no result
        failure = None if not ended.exit_code else Failure(category="transform", message="no helper")
        outputs = () if failure else ("model",)
        for name in outputs:
            (self.root / directory / "out" / name).write_text(directory)
        step = name_of(directory).split("-")[1]
        result = StepResult(protocol=PROTOCOL_VERSION, step=step, outputs=outputs, failure=failure)
        (self.root / directory / "result.msgpack").write_bytes(encode(result))
        return ended

    def interrupt(self) -> None:
        self.interrupted = True

    def cancel(self, directory: str) -> None: ...

    def close(self) -> None:
        self.over = True


class FakeRuntime:
    """Opens such sessions and remembers them."""

    name = "fake"

    def __init__(
        self, root: Path, *, limits_sessions: bool, ends: Callable[[str], SessionEnded] = lambda _: SessionEnded()
    ) -> None:
        self.limits_sessions = limits_sessions
        self.opened: list[Fake] = []
        self._root = root
        self._ends = ends

    def prepare(self, executor: ExecutorRef) -> None:
        return

    def open(self, executor: ExecutorRef) -> Fake:
        self.opened.append(Fake(self._root / str(len(self.opened)), self._ends))
        return self.opened[-1]

    def close(self) -> None:
        for session in self.opened:
            session.close()


def sessions_of(runtime: FakeRuntime) -> SessionPool:
    sessions = SessionPool(lambda: runtime)
    sessions.expect([E])
    return sessions


def test_steps_of_one_executor_share_its_session(tmp_path: Path) -> None:
    sessions = sessions_of(FakeRuntime(tmp_path, limits_sessions=True))
    with sessions.lease(step("a")) as first:
        assert not first.shared
        with sessions.lease(step("b")) as second:
            assert first.session is second.session
        # Also afterwards: what b did may have come to light only now.
        assert first.shared
        assert first.crowded


def test_a_step_with_a_limit_has_a_session_for_itself_where_the_limit_is_the_session_s(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=True)
    sessions = sessions_of(runtime)
    with sessions.lease(step("a")) as free, sessions.lease(step("b", memory_mib=9)) as limited:
        assert limited.session is not free.session
        with sessions.lease(step("c")) as other, sessions.lease(step("d", memory_mib=9)) as more:
            assert other.session is free.session
            assert more.session not in {limited.session, free.session}
        assert not limited.crowded
    with sessions.lease(step("e", memory_mib=9)):
        assert len(runtime.opened) == 3


def test_steps_that_follow_one_another_have_one_slot_and_those_beside_them_others(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    sessions = sessions_of(runtime)
    with sessions.lease(step("a")) as first, sessions.lease(step("b")) as beside:
        assert first.slot != beside.slot
    with sessions.lease(step("c")) as last, sessions.lease(step("d")) as another:
        # b was given back before a: what a chain's step had is what the next one gets.
        assert (last.slot, another.slot) == (first.slot, beside.slot)
    other = sessions_of(runtime)
    with other.lease(step("a")) as elsewhere:
        assert elsewhere.slot not in {first.slot, beside.slot}


def test_a_step_that_crashes_in_the_process_of_another_runs_again_in_its_own(tmp_path: Path) -> None:
    runs: list[str] = []

    def ends(directory: str) -> SessionEnded:
        runs.append(directory[:4])
        # The first step has broken something; the last one crashes whatever it follows.
        crashes = directory.startswith("02-c") or runs == ["00-a", "01-b"]
        return SessionEnded(exit_code=-11 if crashes else 0)

    steps = tuple(step(name, index) for index, name in enumerate("abc"))
    bounds = [Bound(index=index, step=steps[index].name, origin="") for index in (0, -1)]
    plan = Plan(steps=steps, range=Range(first=bounds[0], last=bounds[1]))
    store, observer = DiskStore(tmp_path / "store"), Counting()
    sessions = SessionPool(lambda: FakeRuntime(tmp_path, limits_sessions=False, ends=ends))
    reports = run_plan(plan, store, LocalWorkerPool(store, sessions, share=True), observer, limits={"jobs": 1})
    sessions.close()
    assert [report.status for report in reports] == ["ran", "ran", "failed"]
    assert runs == ["00-a", "01-b", "01-b", "02-c", "02-c"]
    assert [note.partition(";")[0] for note in observer.notes] == [
        f"step {name} crashed in a process that may have run others" for name in "bc"
    ]


def test_steps_with_code_of_the_user_s_tools_or_a_limit_have_no_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    sessions = sessions_of(runtime)
    tool = ToolInstall(
        tool="vivado", product="Vivado", version="2024.2", build="1", fingerprint="0", root=Path("/vivado")
    )
    given = {"for_user_code": msgspec.structs.replace(E, for_user_code=True)}
    given["tools"] = msgspec.structs.replace(E, tools=(tool,))
    for executor in given.values():
        sessions.expect([executor])
        with sessions.lease(msgspec.structs.replace(step("a"), executor=executor)) as lease:
            assert lease.slot == ""
    with sessions.lease(step("a", memory_mib=9)) as lease:
        assert lease.slot == ""
    monkeypatch.setenv("BSKERNEL_OWN_PROCESSES", "1")
    with sessions_of(runtime).lease(step("a")) as lease:
        assert lease.slot == ""


def test_where_nothing_limits_sessions_steps_share_them_and_the_machine_s_memory(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    sessions = sessions_of(runtime)
    sessions.expect([msgspec.structs.replace(E, name="f")])
    there = msgspec.structs.replace(step("c"), executor=msgspec.structs.replace(E, name="f"))
    with sessions.lease(step("a", memory_mib=9)) as first, sessions.lease(there) as second:
        assert first.session is not second.session
        assert first.crowded
        assert second.crowded
        assert not first.shared


def test_a_session_that_has_ended_is_replaced(tmp_path: Path) -> None:
    sessions = sessions_of(FakeRuntime(tmp_path, limits_sessions=True))
    with sessions.lease(step("a")) as first:
        first.session.close()
    with sessions.lease(step("a")) as second:
        assert second.session is not first.session


def test_after_an_interrupt_no_session_is_given(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=True)
    sessions = sessions_of(runtime)
    with sessions.lease(step("a")):
        sessions.interrupt()
    assert runtime.opened[0].interrupted
    with pytest.raises(PoolStopped), sessions.lease(step("a")):
        pass


def test_no_more_sessions_start_at_once_than_there_are_processors_and_the_first_needed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    begun: list[str] = []
    two, go_on = threading.Event(), threading.Event()

    class Slow(FakeRuntime):
        def open(self, executor: ExecutorRef) -> Fake:
            begun.append(executor.name)
            if len(begun) == 2:
                two.set()
            assert go_on.wait(20)
            return super().open(executor)

    runtime = Slow(tmp_path, limits_sessions=False)
    sessions = SessionPool(lambda: runtime)
    executors = [msgspec.structs.replace(E, name=name) for name in "abcd"]
    sessions.expect(executors)
    assert two.wait(20)
    assert sorted(begun) == ["a", "b"]
    go_on.set()
    for executor in executors:
        with sessions.lease(msgspec.structs.replace(step("s"), executor=executor)):
            pass
    sessions.close()
    assert sorted(begun) == ["a", "b", "c", "d"]


def test_a_session_that_does_not_come_up_fails_each_step_that_asks_for_it(tmp_path: Path) -> None:
    class Broken(FakeRuntime):
        def open(self, executor: ExecutorRef) -> Fake:
            raise SessionFailed(Failure(category="environment", message="no"))

    sessions = sessions_of(Broken(tmp_path, limits_sessions=False))
    for _ in range(2):
        with pytest.raises(SessionFailed), sessions.lease(step("a")):
            pass
    sessions.close()


class Counting(SilentObserver):
    """Remembers who started, and what else was told."""

    def __init__(self) -> None:
        self.starts: list[str] = []
        self.notes: list[str] = []
        self.ends: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, step: Step) -> None:
        self.starts.append(step.name)

    def ended(self, step: Step, ended: EndedStep) -> None:
        self.ends.append(step.name)


def test_who_fails_when_memory_ran_out_beside_others_runs_again_alone(tmp_path: Path) -> None:
    together = threading.Barrier(2)
    runs: list[str] = []
    running: set[str] = set()
    beside: dict[str, set[str]] = {}

    def ends(folder: str) -> SessionEnded:
        directory = name_of(folder)[
            :4
        ]  # what runs again may find its first folder not given back yet, and takes another
        runs.append(directory)
        running.add(directory)
        beside[directory] = running - {directory}
        try:
            if runs.count(directory) == 2 or directory == "02-c":
                return SessionEnded(exit_code=0)
            together.wait(20)
            # Of both the counter says the same, whichever of them has lost a process.
            return SessionEnded(exit_code=1 if directory == "00-a" else 0, oom_kills=1)
        finally:
            running.discard(directory)

    steps = tuple(step(name, index) for index, name in enumerate("abc"))
    bounds = [Bound(index=index, step=steps[index].name, origin="") for index in (0, -1)]
    plan = Plan(steps=steps, range=Range(first=bounds[0], last=bounds[1]))
    runtime = FakeRuntime(tmp_path, limits_sessions=True, ends=ends)
    sessions, observer = SessionPool(lambda: runtime), Counting()
    # Three different actions: their entries differ.
    store = DiskStore(tmp_path / "store")
    reports = run_plan(plan, store, LocalWorkerPool(store, sessions, share=True), observer, limits={"jobs": 2})
    sessions.close()
    assert [report.status for report in reports] == ["ran", "ran", "ran"]
    assert sorted(runs) == ["00-a", "00-a", "01-b", "02-c"]
    assert beside["00-a"] == set()
    assert observer.notes == ["step a failed while other steps were running; retrying it alone"]
    assert sorted(observer.starts) == ["a", "a", "b", "c"]
    assert sorted(observer.ends) == ["a", "b", "c"]


def test_a_step_runs_again_also_while_what_it_used_is_not_given_back_yet(tmp_path: Path) -> None:
    ran: list[str] = []

    def ends(folder: str) -> SessionEnded:
        ran.append(folder)
        return SessionEnded(exit_code=0)

    sessions = sessions_of(FakeRuntime(tmp_path, limits_sessions=False, ends=ends))
    store = DiskStore(tmp_path / "store")
    with sessions.lease(step("a")) as lease:
        first = run_step(step("a"), {}, store, lease.session, lambda _: None, "00-a")
        second = run_step(step("a"), {}, store, lease.session, lambda _: None, "00-a")
        assert first.used is not None
        assert second.used is not None
        recycle(first.used)
        recycle(second.used)
        run_step(step("a"), {}, store, lease.session, lambda _: None, "00-a")
    sessions.close()
    assert ran == ["00-a"] * 3


def leased(pool: SessionPool) -> Fake:
    with pool.lease(step("one")) as lease:
        assert isinstance(lease.session, Fake)
        return lease.session


def test_sessions_of_a_dismissed_executor_end_while_the_pool_is_open(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    pool = sessions_of(runtime)
    session = leased(pool)
    with pool.held_open(E) as are_open:
        assert are_open
    pool.dismiss(E)
    with pool.held_open(E) as are_open:
        assert not are_open
    eventually(lambda: session.over)
    pool.dismiss(E)
    pool.close()


def test_a_dismissed_executor_that_is_expected_again_gets_a_new_session(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    pool = sessions_of(runtime)
    first = leased(pool)
    pool.dismiss(E)
    pool.expect([E])
    second = leased(pool)
    assert second is not first
    assert not second.over
    pool.close()
    assert first.over


def test_a_session_ends_only_after_the_step_that_uses_it(tmp_path: Path) -> None:
    runtime = FakeRuntime(tmp_path, limits_sessions=False)
    pool = sessions_of(runtime)
    with pool.lease(step("one")) as lease:
        pool.dismiss(E)
        time.sleep(0.05)
        assert not lease.session.over
    pool.close()
    assert runtime.opened[0].over


def test_a_session_that_cannot_be_ended_is_told_when_the_pool_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Fake) -> None:
        raise EnvironmentLacking("the engine is gone")

    pool = sessions_of(FakeRuntime(tmp_path, limits_sessions=False))
    leased(pool)
    monkeypatch.setattr(Fake, "close", fail)
    pool.dismiss(E)
    with pytest.raises(EnvironmentLacking, match="the engine is gone"):
        pool.close()


def test_an_executor_ends_once_no_step_that_follows_needs_it(tmp_path: Path) -> None:
    opened: dict[str, Fake] = {}
    over: dict[str, bool] = {}

    class Named(FakeRuntime):
        def open(self, executor: ExecutorRef) -> Fake:
            opened[executor.name] = super().open(executor)
            return opened[executor.name]

    def ends(folder: str) -> SessionEnded:
        if folder == "03-d":
            eventually(lambda: opened["e"].over)
        over[folder] = opened["e"].over
        return SessionEnded(exit_code=0)

    steps = [step(name, index) for index, name in enumerate("abcd")]
    for index in (1, 3):
        steps[index] = msgspec.structs.replace(steps[index], executor=msgspec.structs.replace(E, name="f"))
    bounds = [Bound(index=index, step=steps[index].name, origin="") for index in (0, -1)]
    plan = Plan(steps=tuple(steps), range=Range(first=bounds[0], last=bounds[1]))
    store = DiskStore(tmp_path / "store")
    sessions = SessionPool(lambda: Named(tmp_path, limits_sessions=False, ends=ends))
    reports = run_plan(plan, store, LocalWorkerPool(store, sessions, share=True), SilentObserver())
    assert [report.status for report in reports] == ["ran"] * 4
    assert over == {"00-a": False, "01-b": False, "02-c": False, "03-d": True}
    eventually(lambda: opened["f"].over)
    sessions.close()
