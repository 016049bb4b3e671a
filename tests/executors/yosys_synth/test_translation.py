"""Which translation of Yosys a step runs: the session's, also if it is being made; no step can write that one."""

import fcntl
import threading
from pathlib import Path

from bskernel_executors.yosys_synth.tool import find_translation


def test_a_step_waits_for_the_session_s_translation_and_takes_it(tmp_path: Path) -> None:
    shared, taken = tmp_path / "translated", []
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: taken.append(find_translation(shared, tmp_path / "own")))
        waiting.start()
        waiting.join(0.2)
        assert taken == []
        shared.mkdir()
    waiting.join(20)
    assert taken == [shared]


def test_a_step_whose_session_has_a_translation_needs_no_right_to_write_there(tmp_path: Path) -> None:
    shared = tmp_path / "translated"
    shared.mkdir()
    shared.with_suffix(".lock").touch(0o444)
    tmp_path.chmod(0o555)
    assert find_translation(shared, tmp_path / "own") == shared
    tmp_path.chmod(0o755)
