"""Children that a server forks ahead: several once it has run some steps, and none that outlives it."""

import os
import signal
from pathlib import Path

from support.server_process import ServerProcess


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def test_a_server_of_many_steps_has_several_children_waiting_and_leaves_none(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        waiting = []
        for at in range(40):
            server.run(f"{at}", "add", number=at)
            waiting.append(children_of(server.process.pid))
    # One more warms up all the time.
    assert len(waiting[0]) == 1 + 1
    assert max(map(len, waiting)) == 1 + 4
    assert min(map(len, waiting)) == 1 + 1
    warming_up = set(waiting[0]).intersection(*waiting)
    assert len(warming_up) == 1
    assert not [pid for pid in set().union(*waiting) - warming_up if Path(f"/proc/{pid}").exists()]


def test_steps_do_not_depend_on_children_that_are_killed_while_they_wait(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        for at in range(40):
            server.run(f"{at}", "add", number=at)
            assert server.output_of(f"{at}") == b"%d" % (at + 1)
            for pid in children_of(server.process.pid) if at % 5 == 0 else ():
                os.kill(pid, signal.SIGKILL)
