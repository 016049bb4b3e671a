"""What every runtime must do, one session at a time; also where the sessions are kept ones."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.application import Application
from bskernel.carry_out import lay_out
from bskernel.ports import Session, SessionFailed
from bskernel.runtime.kept.standing import end_all, standing
from bskernel.runtime.kept.warm import WarmRuntime
from bskernel.step import ExecutorRef
from bskernel_protocol import PROTOCOL_VERSION, Event, OutputLine, Progress, StepManifest, StepResult, decode_document

pytestmark = pytest.mark.in_both


@pytest.fixture
def application(root: Path, cache: Path) -> Application:
    return Application(root, cache)


@pytest.fixture(params=[None, 60.0], ids=["own", "kept"])
def opened(application: Application, runtime: str, request: pytest.FixtureRequest) -> Iterator[WarmRuntime]:
    opened = application.runtime(runtime, print, request.param)
    yield opened
    opened.close()
    list(end_all(application.cache, (), lambda name: application.starter(name, print)))
    assert list((application.cache / "sessions").iterdir()) == []


def executor_of(application: Application) -> ExecutorRef:
    return application.executors.known[0].ref


class Told:
    """Carries out steps and keeps what was said."""

    def __init__(self, application: Application, session: Session, tmp_path: Path) -> None:
        self.application = application
        self.session = session
        self.events: list[Event] = []
        (tmp_path / "number").write_text("5")
        self.model = application.store.capture(tmp_path / "number", "model", "file", "text/plain")

    def run(self, name: str, entry: str, **parameters: object) -> StepResult:
        executor = executor_of(self.application)
        manifest = StepManifest(
            protocol=PROTOCOL_VERSION, step=name, executor=executor.name, version=executor.version,
            executor_digest=executor.digest, entry=entry, parameters=parameters, inputs=(self.model,),
        )  # fmt: skip
        given = self.session.inputs_root / name
        assert lay_out(self.application.store, manifest, self.session.root / name, given) is None
        (self.session.root / name / "in").symlink_to(Path("..", "..", given.parent.name, given.name))
        ended = self.session.run(name, timeout_s=20, on_event=self.events.append)
        assert ended.failure is None
        result = decode_document((self.session.root / name / "result.msgpack").read_bytes())
        assert isinstance(result, StepResult)
        return result


@pytest.fixture
def told(application: Application, opened: WarmRuntime, tmp_path: Path) -> Told:
    opened.prepare(executor_of(application))
    return Told(application, opened.open(executor_of(application)), tmp_path)


def test_a_session_carries_out_step_after_step(told: Told) -> None:
    assert told.run("first", "add", number=3).outputs == ("model",)
    assert told.run("second", "double").outputs == ("model",)
    assert (told.session.root / "first" / "out" / "model").read_text() == "8"
    assert (told.session.root / "second" / "out" / "model").read_text() == "10"


def test_lines_and_progress_arrive_as_events(told: Told) -> None:
    told.run("first", "add", number=3)
    assert any(isinstance(event, OutputLine) and event.text == "adding 3" for event in told.events)
    assert any(isinstance(event, Progress) and event.text == "added" for event in told.events)


def test_what_a_step_writes_belongs_to_the_user(told: Told) -> None:
    told.run("first", "double")
    assert (told.session.root / "first" / "out" / "model").stat().st_uid == os.getuid()


def test_closing_leaves_nothing_of_a_step_and_may_be_done_twice(told: Told, application: Application) -> None:
    told.run("first", "double")
    told.session.close()
    told.session.close()
    kept = [found.state for found in standing(application.cache)]
    assert len(list((application.cache / "sessions").iterdir())) == len(kept)
    assert [path for path in application.cache.glob("sessions/*/*/*") if path.parent.name != "home"] == []


def test_a_closed_runtime_starts_nothing(opened: WarmRuntime, application: Application) -> None:
    opened.prepare(executor_of(application))
    opened.close()
    with pytest.raises(SessionFailed):
        opened.open(executor_of(application))
    assert list((application.cache / "sessions").iterdir()) == []


def test_an_executor_that_dies_while_it_starts_says_its_last_words(
    root: Path, cache: Path, tmp_path: Path, runtime: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(root, broken, symlinks=True)
    image = broken / "images" / "testing" / "1" / "image.toml"
    image.write_text(image.read_text() + '\n[environment]\nTESTING_BROKEN = "1"\n')
    application = Application(broken, cache)
    opened = application.runtime(runtime, print)
    opened.prepare(executor_of(application))
    with pytest.raises(SessionFailed) as caught:
        opened.open(executor_of(application))
    opened.close()
    assert caught.value.failure.category == "crash"
    assert "ImportError: libnothing.so.1: cannot open shared object file" in caught.value.failure.cause
    assert list((cache / "sessions").iterdir()) == []


def test_what_is_up_is_borrowed_once_and_given_back_also_when_it_was_never_opened(
    application: Application, runtime: str
) -> None:
    executor = executor_of(application)
    keeping = application.runtime(runtime, print, 60)
    keeping.keep_all([executor], 60)
    keeping.close()
    (kept,) = (application.cache / "sessions").iterdir()
    for opens in (0, 2, 1):
        using = application.runtime(runtime, print, 60)
        using.prepare(executor)
        roots = [using.open(executor).root for _ in range(opens)]
        assert [root.parent == kept for root in roots] == [True, False][:opens]
        using.close()
        assert [found.state for found in standing(application.cache)] == ["idle"]
        assert list((application.cache / "sessions").iterdir()) == [kept]
    assert len(list(end_all(application.cache, ["testing"], lambda name: application.starter(name, print)))) == 1
    assert list((application.cache / "sessions").iterdir()) == []
