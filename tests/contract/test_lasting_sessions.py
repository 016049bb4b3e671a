"""Sessions that tests hand from build to build: what one build may have left in them never reaches the next."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bskernel.core.interfaces import Session
from bskernel.core.step import ExecutorRef
from support.builds import build, write
from support.lasting_sessions import LastingWorkspace

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n[[step]]\n'
SPOIL = 'entry = "testing:spoil-channel"\n'


@pytest.fixture
def lasting(root: Path, cache: Path) -> Iterator[LastingWorkspace]:
    with LastingWorkspace(root, cache) as workspace:
        yield workspace
    assert list((cache / "sessions").iterdir()) == []


def executor_of(workspace: LastingWorkspace) -> ExecutorRef:
    return workspace.executors.known[0].ref


def open_in_a_build(workspace: LastingWorkspace, *spoil: str, executor: ExecutorRef | None = None) -> Path:
    """The folder of the session that a build opens, in which it calls these methods before it ends."""
    executor = executor or executor_of(workspace)
    runtime = workspace.runtime("process", print)
    runtime.prepare(executor)
    session: Session = runtime.open(executor)
    if "cancel" in spoil:
        session.cancel("step")
    if "interrupt" in spoil:
        session.interrupt()
    runtime.close()
    return session.root


def test_a_session_is_the_next_build_s_and_one_of_other_code_is_not(lasting: LastingWorkspace) -> None:
    first = open_in_a_build(lasting)
    assert open_in_a_build(lasting) == first
    for_user_code = msgspec.structs.replace(executor_of(lasting), for_user_code=True)
    assert open_in_a_build(lasting, executor=for_user_code) != first
    assert open_in_a_build(lasting) == first


@pytest.mark.parametrize("what", ["cancel", "interrupt"])
def test_a_session_in_which_a_build_ended_something_is_not_handed_on(lasting: LastingWorkspace, what: str) -> None:
    spoilt = open_in_a_build(lasting, what)
    assert not spoilt.exists()
    assert open_in_a_build(lasting) != spoilt


def test_a_session_that_ended_is_not_handed_on(lasting: LastingWorkspace, tmp_path: Path) -> None:
    steps = ('entry = "testing:double"\n', SPOIL, 'entry = "testing:double"\n')
    for at, (step, status) in enumerate(zip(steps, ("ok", "failed", "ok"), strict=True)):
        folder = tmp_path / str(at)
        folder.mkdir()
        config = Path(write(folder, BUILD, step))
        assert build(lasting, config, folder / "out", fresh=True).status == status


def test_builds_at_once_have_sessions_of_their_own(lasting: LastingWorkspace) -> None:
    executor = executor_of(lasting)
    one, other = (lasting.runtime("process", print) for _ in range(2))
    one.prepare(executor)
    roots = {one.open(executor).root, other.open(executor).root}
    assert len(roots) == 2
    one.close()
    other.close()
    assert open_in_a_build(lasting) in roots
