"""What every runtime must do, one session at a time, also with several steps in it and where it is a kept one."""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from bskernel.core.interfaces import Session, SessionEnded, SessionFailed
from bskernel.core.step import ExecutorRef
from bskernel.core.tool import ToolInstall
from bskernel.execution.step_runner import prepare_step_dir
from bskernel.runtime.warm.runtime import WarmRuntime
from bskernel.runtime.warm.status import end_all, warm_statuses
from bskernel.workspace.workspace import Workspace
from bskernel_protocol import PROTOCOL_VERSION, Event, OutputLine, Progress, StepManifest, StepResult, decode_document
from support.eventually import eventually

pytestmark = pytest.mark.in_both


@pytest.fixture
def workspace(root: Path, cache: Path) -> Workspace:
    return Workspace(root, cache)


@pytest.fixture(params=[None, 60.0], ids=["own", "kept"])
def opened(workspace: Workspace, runtime: str, request: pytest.FixtureRequest) -> Iterator[WarmRuntime]:
    opened = workspace.runtime(runtime, print, request.param)
    yield opened
    opened.close()
    list(end_all(workspace.cache, (), lambda name: workspace.starter(name, print)))
    assert list((workspace.cache / "sessions").iterdir()) == []


def executor_of(workspace: Workspace) -> ExecutorRef:
    return workspace.executors.known[0].ref


def processes_of(session: str) -> list[int]:
    """Servers and their children: whatever carries the session's mark, in a container too."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"BSKERNEL_SESSION={session}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def forked_in(session: str) -> list[int]:
    """The processes of a session that its server has forked: they have its command line, and no children."""

    def command(pid: int) -> bytes:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        return b""

    def parent(pid: int) -> int:
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        return 0

    found = [pid for pid in processes_of(session) if command(pid) and command(pid) == command(parent(pid))]
    # A server may have been forked itself, by its supervisor.
    return [pid for pid in found if pid not in {parent(other) for other in found}]


class Told:
    """Carries out steps and keeps what was said."""

    def __init__(self, workspace: Workspace, session: Session, tmp_path: Path) -> None:
        self.workspace = workspace
        self.session = session
        self.events: list[Event] = []
        (tmp_path / "number").write_text("5")
        self.model = workspace.store.capture(tmp_path / "number", "model", "file", "text/plain")

    def run(self, name: str, entry: str, **parameters: object) -> StepResult:
        self.prepare_step_dir(name, entry, **parameters)
        return self.result_of(name, self.session.run(name, timeout_s=20, on_event=self.events.append))

    def prepare_step_dir(self, name: str, entry: str, **parameters: object) -> None:
        executor = executor_of(self.workspace)
        manifest = StepManifest(
            protocol=PROTOCOL_VERSION, step=name, executor=executor.name, version=executor.version,
            executor_digest=executor.digest, entry=entry, parameters=parameters, inputs=(self.model,),
        )  # fmt: skip
        given = self.session.inputs_root / name
        assert prepare_step_dir(self.workspace.store, manifest, self.session.root / name, given) is None
        (self.session.root / name / "in").symlink_to(Path("..", "..", given.parent.name, given.name))

    def result_of(self, name: str, ended: SessionEnded) -> StepResult:
        assert ended.failure is None
        result = decode_document((self.session.root / name / "result.msgpack").read_bytes())
        assert isinstance(result, StepResult)
        return result

    def begin(
        self, threads: ThreadPoolExecutor, name: str, entry: str, timeout_s: float = 20, **parameters: object
    ) -> Future[SessionEnded]:
        """Have a step run beside others."""
        self.prepare_step_dir(name, entry, **parameters)
        return threads.submit(self.session.run, name, timeout_s=timeout_s, on_event=self.events.append)

    def say(self, word: str) -> None:
        (self.session.root / f".{word}").touch()

    def wait_for(self, word: str) -> None:
        deadline = time.monotonic() + 20
        while not (self.session.root / f".{word}").exists():
            assert time.monotonic() < deadline, f"nobody said {word}"
            time.sleep(0.005)

    def helper_lives(self, word: str) -> bool:
        with (self.session.root / f".{word}.helper").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def told(workspace: Workspace, opened: WarmRuntime, tmp_path: Path) -> Told:
    opened.prepare(executor_of(workspace))
    return Told(workspace, opened.open(executor_of(workspace)), tmp_path)


def test_a_session_carries_out_step_after_step(told: Told) -> None:
    assert told.run("first", "add", number=3).outputs == ("model",)
    assert told.run("second", "double").outputs == ("model",)
    assert (told.session.root / "first" / "out" / "model").read_text() == "8"
    assert (told.session.root / "second" / "out" / "model").read_text() == "10"


def test_a_step_runs_although_the_child_that_waited_for_it_is_gone(told: Told) -> None:
    assert told.run("first", "add", number=3).outputs == ("model",)
    session = told.session.root.parent.name
    for pid in eventually(lambda: forked_in(session)):  # also the one that warms up
        # Where others keep the processors busy, it dies late: after the order was given, which it still reads.
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        os.kill(pid, signal.SIGKILL)
    assert told.run("second", "double").outputs == ("model",)
    assert told.run("third", "double").outputs == ("model",)


def order_of_a_stopped_child(told: Told, threads: ThreadPoolExecutor) -> tuple[Future[SessionEnded], list[int]]:
    """Begin the step `second` in a child that is stopped before it reads its order; returns the children stopped."""
    session = told.session.root.parent.name
    waiting: list[int] = eventually(lambda: forked_in(session))
    for pid in waiting:
        os.kill(pid, signal.SIGSTOP)
    second = told.begin(threads, "second", "double")
    # It forks the next child once it has given the order.
    eventually(lambda: set(forked_in(session)) - set(waiting))
    return second, waiting


def test_a_step_runs_although_the_child_that_waited_is_killed_before_it_reads_its_order(
    told: Told, threads: ThreadPoolExecutor
) -> None:
    assert told.run("first", "add", number=3).outputs == ("model",)
    second, waiting = order_of_a_stopped_child(told, threads)
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    assert told.result_of("second", second.result()).outputs == ("model",)
    assert told.run("third", "double").outputs == ("model",)


def test_a_step_that_is_cancelled_before_it_begins_does_not_run(told: Told, threads: ThreadPoolExecutor) -> None:
    assert told.run("first", "add", number=3).outputs == ("model",)
    second, _ = order_of_a_stopped_child(told, threads)
    told.session.cancel("second")
    assert second.result().cancelled
    assert list((told.session.root / "second" / "out").iterdir()) == []


def test_lines_and_progress_arrive_as_events(told: Told) -> None:
    told.run("first", "add", number=3)
    assert any(isinstance(event, OutputLine) and event.text == "adding 3" for event in told.events)
    assert any(isinstance(event, Progress) and event.text == "added" for event in told.events)


def test_what_a_step_writes_belongs_to_the_user(told: Told) -> None:
    told.run("first", "double")
    assert (told.session.root / "first" / "out" / "model").stat().st_uid == os.getuid()


def test_steps_of_one_session_run_at_once_and_each_line_says_whose_it_is(
    told: Told, threads: ThreadPoolExecutor
) -> None:
    first = told.begin(threads, "first", "meet", word="a", until=["b", "c"])
    second = told.begin(threads, "second", "meet", word="b", until=["a", "c"])
    third = told.begin(threads, "third", "meet", word="c", until=["a", "b"])
    # Each ends only when it has met the others: one after the other none would.
    for name, ended in (("first", first), ("second", second), ("third", third)):
        assert told.result_of(name, ended.result()).outputs == ("model",)
    lines = {(event.directory, event.text) for event in told.events if isinstance(event, OutputLine)}
    assert lines == {("first", "a is here"), ("second", "b is here"), ("third", "c is here")}


def test_what_left_a_step_s_group_ends_with_it_and_with_no_other(told: Told, threads: ThreadPoolExecutor) -> None:
    lasting = told.begin(threads, "lasting", "meet", word="b", until=["go"], helper=True)
    told.wait_for("b.helps")
    for name in ("first", "second"):
        told.begin(threads, name, "meet", word=name, helper=True).result()
        assert not told.helper_lives(name)
        assert told.helper_lives("b")
    told.say("go")
    assert told.result_of("lasting", lasting.result()).failure is None
    assert not told.helper_lives("b")


def test_steps_that_end_at_the_same_time_leave_nothing(told: Told, threads: ThreadPoolExecutor) -> None:
    names = [f"step-{number}" for number in range(6)]
    running = [told.begin(threads, name, "meet", word=name, until=["go"], helper=True) for name in names]
    for name in names:
        told.wait_for(f"{name}.helps")
    told.say("go")
    for name, ended in zip(names, running, strict=True):
        assert told.result_of(name, ended.result()).failure is None
    assert not any(told.helper_lives(name) for name in names)


def test_a_step_that_is_cancelled_ends_with_its_helpers_and_the_others_go_on(
    told: Told, threads: ThreadPoolExecutor
) -> None:
    cancelled = told.begin(threads, "cancelled", "meet", word="a", until=["never"], helper=True)
    other = told.begin(threads, "other", "meet", word="b", until=["go"])
    told.wait_for("a.helps")
    told.wait_for("b")
    told.session.cancel("cancelled")
    assert cancelled.result() == SessionEnded(cancelled=True)
    assert not told.helper_lives("a")
    # One that has not begun ends as well.
    told.session.cancel("early")
    assert told.begin(threads, "early", "meet", word="c", until=["never"]).result() == SessionEnded(cancelled=True)
    told.say("go")
    assert told.result_of("other", other.result()).outputs == ("model",)
    assert told.run("next", "double").outputs == ("model",)


def test_a_step_that_is_cancelled_takes_no_other_with_it(told: Told, threads: ThreadPoolExecutor) -> None:
    lasting = told.begin(threads, "lasting", "meet", word="b", until=["go"], helper=True)
    late = told.begin(threads, "late", "meet", timeout_s=0.5, word="a", until=["never"], helper=True).result()
    assert late.failure is not None
    assert late.failure.category == "timeout"
    assert not late.session_over
    assert not told.helper_lives("a")
    assert told.helper_lives("b")
    told.say("go")
    assert told.result_of("lasting", lasting.result()).failure is None


def test_a_session_that_ends_ends_each_of_its_steps_and_all_that_are_asked_for_later(
    told: Told, threads: ThreadPoolExecutor
) -> None:
    beside = told.begin(threads, "beside", "meet", word="b", until=["never"], helper=True)
    told.wait_for("b.helps")
    guilty = told.begin(threads, "guilty", "meet", word="a", then="end-session")
    both = [beside.result(), guilty.result()]
    for ended in (*both, told.begin(threads, "later", "double").result()):
        assert ended.session_over
        assert ended.failure is not None
        assert ended.failure.category == "executor"
    assert told.session.over
    told.session.close()


def test_an_interrupt_waits_for_no_step(told: Told, threads: ThreadPoolExecutor) -> None:
    running = [told.begin(threads, name, "meet", word=name, until=["never"]) for name in ("a", "b")]
    told.wait_for("a")
    told.wait_for("b")
    told.session.interrupt()
    assert all(ended.result().interrupted for ended in running)
    assert told.begin(threads, "later", "double").result().interrupted


def test_closing_ends_every_step(told: Told, threads: ThreadPoolExecutor) -> None:
    running = [told.begin(threads, name, "meet", word=name, until=["never"], helper=True) for name in ("a", "b")]
    told.wait_for("a.helps")
    told.wait_for("b.helps")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context((told.session.root / f".{name}.helper").open("w")) for name in ("a", "b")]
        told.session.close()
        for file in held:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert all(ended.result().failure is not None for ended in running)


def test_closing_leaves_nothing_of_a_step_and_may_be_done_twice(told: Told, workspace: Workspace) -> None:
    told.run("first", "double")
    told.session.close()
    told.session.close()
    kept = [found.state for found in warm_statuses(workspace.cache)]
    assert len(list((workspace.cache / "sessions").iterdir())) == len(kept)
    assert [path for path in workspace.cache.glob("sessions/*/*/*") if path.parent.name != "home"] == []


def test_a_closed_runtime_starts_nothing(opened: WarmRuntime, workspace: Workspace) -> None:
    opened.prepare(executor_of(workspace))
    opened.close()
    with pytest.raises(SessionFailed):
        opened.open(executor_of(workspace))
    assert list((workspace.cache / "sessions").iterdir()) == []


def test_an_executor_that_dies_while_it_starts_says_its_last_words(
    root: Path, cache: Path, tmp_path: Path, runtime: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(root, broken, symlinks=True)
    image = broken / "images" / "testing" / "1" / "image.toml"
    image.write_text(image.read_text() + '\n[environment]\nTESTING_BROKEN = "1"\n')
    workspace = Workspace(broken, cache)
    opened = workspace.runtime(runtime, print)
    opened.prepare(executor_of(workspace))
    with pytest.raises(SessionFailed) as caught:
        opened.open(executor_of(workspace))
    opened.close()
    assert caught.value.failure.category == "crash"
    assert "ImportError: libnothing.so.1: cannot open shared object file" in caught.value.failure.cause
    assert list((cache / "sessions").iterdir()) == []


def test_what_is_up_is_borrowed_once_and_given_back_also_when_it_was_never_opened(
    workspace: Workspace, runtime: str
) -> None:
    executor = executor_of(workspace)
    keeping = workspace.runtime(runtime, print, 60)
    keeping.keep_all([executor], 60)
    keeping.close()
    (kept,) = (workspace.cache / "sessions").iterdir()
    for opens in (0, 2, 1):
        using = workspace.runtime(runtime, print, 60)
        using.prepare(executor)
        roots = [using.open(executor).root for _ in range(opens)]
        assert [root.parent == kept for root in roots] == [True, False][:opens]
        using.close()
        assert [found.state for found in warm_statuses(workspace.cache)] == ["idle"]
        assert list((workspace.cache / "sessions").iterdir()) == [kept]
    assert len(list(end_all(workspace.cache, ["testing"], lambda name: workspace.starter(name, print)))) == 1
    assert list((workspace.cache / "sessions").iterdir()) == []


@pytest.mark.parametrize("of", ["installed tools", "the user's code"])
def test_a_session_of_others_is_never_kept(
    opened: WarmRuntime, workspace: Workspace, tmp_path: Path, of: str
) -> None:
    tool = ToolInstall(tool="vivado", product="V", version="1", build="1", fingerprint="f", root=tmp_path)
    tools = (tool,) if of == "installed tools" else ()
    executor = msgspec.structs.replace(executor_of(workspace), tools=tools, for_user_code=not tools)
    if tools:
        opened.keep_all([executor], 60)
    opened.prepare(executor)
    session = opened.open(executor)
    assert session.root.is_dir()
    assert list(warm_statuses(workspace.cache)) == []
    opened.close()
    assert list((workspace.cache / "sessions").iterdir()) == []
