"""How a run of the simulator failed."""

import msgspec
from bskernel_executors.rtl_sim.simulator import Deadlock, diagnose
from support.branching_design import BRANCHING

CHAIN = msgspec.structs.replace(
    BRANCHING,
    layers=("before", "work", "after"),
    streams=tuple(
        stream for stream in BRANCHING.streams if {stream.source, stream.sink} & {"before", "work", "after"}
    ),
)


def test_a_deadlock_names_the_layer_and_the_cycle() -> None:
    said = ["deadlock at cycle 77: 9 of 10 beats taken, 0 of 1 given", "streams (valid ready): 10 10 01 01"]
    failure = diagnose(CHAIN, 4, said)
    assert failure is not None
    assert "in work, which takes no input" in failure.failure.message
    assert "at cycle 77" in failure.failure.message


def test_a_deadlock_of_branches_names_fork_join_and_the_depths_on_the_full_one() -> None:
    said = ["deadlock at cycle 77: 9 of 10", "streams (valid ready): 10 10 00 01 01 01 10 01"]
    failure = diagnose(BRANCHING, 4, said)
    assert isinstance(failure, Deadlock)
    assert "deadlocked between fork and join" in failure.failure.message
    assert failure.failure.cause == (
        "the branch that is full: short (depth 2)",
        "the branch that join waits for: work",
    )


def test_an_assertion_names_the_layer_and_the_cycle() -> None:
    said = ["[72] %Error: mvu.sv:3: Assertion failed in bskernel_top.work_i.x: Overflowing output queue."]
    failure = diagnose(BRANCHING, -6, said)
    assert failure is not None
    assert "in work in cycle 20" in failure.failure.message


def test_waves_that_are_not_compiled_in_are_a_matter_of_the_config() -> None:
    failure = diagnose(BRANCHING, 5, [])
    assert failure is not None
    assert failure.failure.category == "config"


def test_a_run_that_went_well_is_no_failure() -> None:
    assert diagnose(BRANCHING, 0, ["- simulation done"]) is None
