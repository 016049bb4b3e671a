"""fifo_config.json: a depth for each FIFO, in the form of FINN's step_set_fifo_depths (`fifo_config_file`)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel_executors.exchange.artifact_file import read_artifact


class FifoDepths(msgspec.Struct, frozen=True, kw_only=True):
    """What FINN's ApplyFIFODepthsFromFile reads, by FIFO. Other keys are allowed, because FINN writes more."""

    fifo_depths: dict[str, int]  # values
    impl_style: dict[str, str]
    ram_style: dict[str, str]

    def __post_init__(self) -> None:
        for name in self.fifo_depths:
            for key, styles in (("impl_style", self.impl_style), ("ram_style", self.ram_style)):
                if name not in styles:
                    raise ValueError(f"{key} lacks the FIFO {name!r}, which has a depth")


class FifoConfig(FifoDepths, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The depths that size_fifos found, and how it found them."""

    fifo_sizes: dict[str, int]  # bits
    total_fifo_size: float = msgspec.field(name="total_fifo_size_kiB")
    cycles_per_frame: float
    estimated_cycles: int  # FINN's, per frame
    cycles_per_frame_unlimited: float  # with the deep FIFOs of the sized design
    high_water_marks: dict[str, int]  # room for values that each FIFO needed when it was deep
    high_water_size: float = msgspec.field(name="high_water_size_kiB")
    simulations: int


_DECODER = msgspec.json.Decoder(FifoDepths)


def read_fifo_depths(path: Path) -> FifoDepths:
    """Read the depths that size_fifos, FINN or a user wrote. Raises StepFailure (config)."""
    return read_artifact(path, _DECODER, "fifo_config", writer="rtl-sim:size_fifos, or FINN's step_set_fifo_depths,")
