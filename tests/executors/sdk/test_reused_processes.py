"""A process that runs the steps of a slot, one after another: each as if it were alone, or in another process."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.sdk.landlock import landlock_version
from bskernel_protocol import StepFinished, StepResult
from support.eventually import eventually
from support.server_process import ServerProcess

pytestmark = pytest.mark.skipif(not landlock_version(), reason="without Landlock each step has a process of its own")
EACH_ENDS = ("thread", "file", "process", "ended process", "orphan", "memory")


class Slots:
    """Runs steps of the executor that leaves things."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def run(self, name: str, entry: str = "leave", **parameters: Any) -> StepResult:
        self.server.start(name, entry, **parameters)
        return self.server.finish(name)

    def pid(self, name: str, what: str = "nothing") -> int:
        result = self.run(name, what=what)
        assert result.failure is None
        return int(result.record["pid"])


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    (tmp_path / "steps").mkdir()
    with ServerProcess(tmp_path / "steps", module="leaving") as server:
        yield Slots(server)


def test_steps_of_a_slot_share_a_process_that_those_of_others_do_not(slots: Slots) -> None:
    one = [slots.pid("one/steps/a"), slots.pid("one/steps/b")]
    two = [slots.pid("two/steps/a"), slots.pid("two/steps/b")]
    alone = [slots.pid("a"), slots.pid("b")]
    one.append(slots.pid("one/steps/c"))
    assert len(set(one)) == len(set(two)) == 1
    assert len({*one, *two, *alone}) == 4


def test_an_executor_that_does_not_say_so_runs_each_step_in_its_own_process(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "testing_executor" / "leaving.py"
    (tmp_path / "steps").mkdir()
    text = source.read_text(encoding="utf-8").replace(", reuses_processes=True", "")
    (tmp_path / "steps" / "plain.py").write_text(text, encoding="utf-8")
    with ServerProcess(tmp_path / "steps", module="plain") as server:
        slots = Slots(server)
        assert slots.pid("one/steps/a") != slots.pid("one/steps/b")


def test_what_a_step_changes_in_its_process_is_put_back(slots: Slots) -> None:
    first = slots.run("one/steps/a", what="changes")
    second = slots.run("one/steps/b")
    assert second.record == first.record
    assert (slots.server.folder / "one" / "steps" / "b" / "out" / "model").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("what", EACH_ENDS)
def test_a_process_in_which_a_step_left_something_runs_no_other(what: str, slots: Slots) -> None:
    first = slots.pid("one/steps/a", what)
    assert slots.pid("one/steps/b") != first
    assert not Path(f"/proc/{first}").exists()


def test_a_process_whose_step_failed_runs_no_other(slots: Slots) -> None:
    first = slots.pid("one/steps/a")
    failed = slots.run("one/steps/b", "fail")
    assert failed.failure is not None
    assert "as it should" in failed.failure.message
    assert slots.pid("one/steps/c") != first


def test_a_step_that_is_not_confined_has_a_process_of_its_own(slots: Slots) -> None:
    pids = [slots.pid("one/steps/a")]
    for at in range(3):
        result = slots.run(f"one/steps/out-{at}", "go-out")
        assert result.failure is None
        pids += [int(result.record["pid"]), slots.pid(f"one/steps/in-{at}")]
    assert len(set(pids)) == 7


def test_a_process_that_is_killed_while_it_waits_is_replaced(slots: Slots) -> None:
    pids = []
    for at in range(20):
        pids.append(slots.pid(f"one/steps/{at}"))
        os.kill(pids[-1], signal.SIGKILL)
    assert len(set(pids)) == 20


def test_a_process_that_no_step_comes_for_ends(slots: Slots) -> None:
    pid = slots.pid("one/steps/a")
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert slots.pid("one/steps/b") != pid


def test_no_process_of_a_slot_outlives_its_server(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    with ServerProcess(tmp_path / "steps", module="leaving") as server:
        pids = {Slots(server).pid(f"{slot}/steps/a") for slot in ("one", "two", "three")}
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_each_step_has_its_own_lines_also_what_was_said_before(slots: Slots) -> None:
    for name in ("a", "b", "c"):
        slots.run(f"one/steps/{name}")
        texts = [line.text for line in slots.server.log_of(f"one/steps/{name}")]
        assert [text for text in texts if "last words" in text] == [f"last words of one/steps/{name}"]
        assert sum("UserWarning: said in every step" in text for text in texts) == 1


def test_each_step_has_its_own_peak_of_memory(slots: Slots) -> None:
    peaks = []
    for name, entry in (("a", "remember"), ("b", "use-memory"), ("c", "remember")):
        slots.run(f"one/steps/{name}", entry)
        peaks.append(slots.server.events[-1].peak_mib)
    small, large, again = peaks
    assert small is not None
    assert large is not None
    assert again is not None
    assert large > 200 > small + 100
    assert again < small + 50


def test_a_path_of_an_earlier_step_gets_into_no_output(slots: Slots) -> None:
    slots.run("one/steps/a", "remember")
    result = slots.run("one/steps/b", "tell")
    assert result.failure is not None
    assert "contains a path of this machine" in result.failure.message


def test_a_step_reaches_its_slot_and_the_inputs_of_its_slot_alone(slots: Slots) -> None:
    steps = slots.server.folder
    for slot in ("one", "other"):
        given = steps.parent / "inputs" / slot / "steps"
        given.mkdir(parents=True)
        (given / "given").write_text(slot)
    (steps / "other" / "steps").mkdir(parents=True)
    for name in ("a", "b"):
        result = slots.run(f"one/steps/{name}", "reach")
        refused = result.record["reached"]
        assert {key: refused.pop(key) for key in ("own", "slot", "given")} == {
            "own": "written",
            "slot": "written",
            "given": "one",
        }
        assert refused.keys() == {"above", "beside", "other", "inputs", "other's"}
        assert set(refused.values()) <= {"PermissionError", "OSError"}


def test_a_process_changes_nothing_of_an_earlier_step_that_was_taken_away(slots: Slots) -> None:
    steps = slots.server.folder
    assert slots.run("one/steps/a", "keep", outside="nowhere").failure is None
    taken = steps.parent / "aside" / "a"
    taken.parent.mkdir()
    (steps / "one" / "steps" / "a").rename(taken)
    result = slots.run("one/steps/b", "use-kept")
    assert result.record == {"made": "nothing"}
    assert [path.name for path in (taken / "out").iterdir()] == ["model"]


def test_a_link_in_place_of_a_step_s_folder_is_not_followed(slots: Slots, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "log.jsonl").write_text("mine")
    slots.run("one/steps/a", "keep", outside=str(outside))
    slots.server.order("one/steps/link")
    finished = slots.server.next_event()
    assert isinstance(finished, StepFinished)
    assert finished.exit_code == 1
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("log.jsonl", "mine")]
    assert slots.run("one/steps/b").failure is None
