"""Which branch keeps a join waiting."""

from pathlib import Path

import numpy as np
from bskernel_executors.rtl_sim.branches import find_blockage
from bskernel_executors.rtl_sim.diagnosis import find_helpful_depths
from bskernel_executors.rtl_sim.simulator import Deadlock
from support.branching_design import BRANCHING, EDGES


def states(**of: str) -> list[str]:
    """Valid and ready of each stream; SOURCE_SINK is in the state that is given, any other moves."""
    return [of.get(f"{source}_{sink}", "11") for source, sink in EDGES]


def test_a_join_that_waits_names_the_fork_and_the_full_branch() -> None:
    found = find_blockage(BRANCHING, states(fork_short="10", short_join="10", after_join="01", fork_before="00"))
    assert found is not None
    assert (found.fork, found.join, found.full, found.late) == ("fork", "join", ("short",), ("work",))


def test_the_full_branch_may_be_the_one_with_the_layers() -> None:
    found = find_blockage(BRANCHING, states(short_join="00", after_join="10"))
    assert found is not None
    assert (found.full, found.late) == (("before", "after"), ())


def test_a_join_that_gets_both_inputs_or_none_is_not_blocked() -> None:
    assert find_blockage(BRANCHING, states(short_join="10", after_join="10")) is None
    assert find_blockage(BRANCHING, states(short_join="01", after_join="01")) is None


def test_where_no_branch_is_full_no_depth_is_looked_for_and_no_simulator_compiled(tmp_path: Path) -> None:
    nothing = tuple(states(short_join="01", after_join="01"))
    deadlock = Deadlock(message="it stands still", cause=(), states=nothing, hint="")
    frames = np.zeros((1, 4), dtype=np.int64)
    nowhere = tmp_path / "nowhere"
    assert find_helpful_depths(nowhere, BRANCHING, frames, deadlock, tmp_path, stall_percent=0) is None
    assert list(tmp_path.iterdir()) == []
