"""How a run of the simulator failed."""

from bskernel_executors.exchange.design import Design, StreamFormat
from bskernel_executors.rtl_sim.simulator import diagnose

STREAM = StreamFormat(width=8, beats=1, parallel=1, bits=8, signed=False, datatype="UINT8", shape=(1, 1))
DESIGN = Design(
    sources=(), input=STREAM, output=STREAM, layers=("FIFO_0", "MVAU_0", "FIFO_1"), fifos=(),
    streams=("into FIFO_0", "into MVAU_0", "into FIFO_1", "output"), estimated_cycles=1,
)  # fmt: skip


def test_a_deadlock_names_the_layer_and_the_cycle() -> None:
    said = ["deadlock at cycle 77: 9 of 10 beats taken, 0 of 1 given", "streams (valid ready): 10 10 01 01"]
    failure = diagnose(DESIGN, 4, said)
    assert failure is not None
    assert "in MVAU_0" in failure.failure.message
    assert "at cycle 77" in failure.failure.message


def test_an_assertion_names_the_layer_and_the_cycle() -> None:
    said = ["[72] %Error: mvu.sv:3: Assertion failed in bskernel_top.MVAU_0_i.x: Overflowing output queue."]
    failure = diagnose(DESIGN, -6, said)
    assert failure is not None
    assert "in MVAU_0 in cycle 20" in failure.failure.message


def test_waves_that_are_not_compiled_in_are_a_matter_of_the_config() -> None:
    failure = diagnose(DESIGN, 5, [])
    assert failure is not None
    assert failure.failure.category == "config"


def test_a_run_that_went_well_is_no_failure() -> None:
    assert diagnose(DESIGN, 0, ["- simulation done"]) is None
