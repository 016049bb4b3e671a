"""Files that executors exchange, as they wrote them: strictly decoded and encoded, the bytes are the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel_executors.exchange.adaptation import Adaptation
from bskernel_executors.exchange.bit_widths import BitWidths
from bskernel_executors.exchange.budget_check import BudgetCheck
from bskernel_executors.exchange.coverage import Coverage
from bskernel_executors.exchange.design import Design
from bskernel_executors.exchange.evaluation import Evaluation
from bskernel_executors.exchange.fifo_config import FifoConfig
from bskernel_executors.exchange.host_split import HostSplit
from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.exchange.synthesis import CellSynthesis, Implementation, TimedSynthesis
from bskernel_executors.rtl_sim.netlist_check import NetlistCheck
from bskernel_protocol import pretty_json

GOLDEN = Path(__file__).parents[1] / "golden"
SHAPES: dict[str, Any] = {
    "adaptation.json": Adaptation,
    "bit_widths.json": BitWidths,
    "budget_check.json": BudgetCheck,
    "coverage.json": Coverage,
    "design.json": Design,
    "design-netlist.json": Design,
    "evaluation.json": Evaluation,
    "fifo_config.json": FifoConfig,
    "host.json": HostSplit,
    "implementation.json": Implementation,
    "made_by.json": dict[str, str],
    "netlist_check.json": NetlistCheck,
    "simulation.json": Simulation,
    "synthesis-vivado.json": TimedSynthesis,
    "synthesis-yosys.json": CellSynthesis,
}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_file_is_decoded_and_encoded_to_the_same_bytes(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    assert pretty_json(msgspec.json.decode(data, type=SHAPES[name])).encode() == data


def test_every_golden_file_has_a_shape() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == SHAPES.keys()


@pytest.mark.parametrize("name", sorted(SHAPES.keys() - {"made_by.json"}))
def test_an_unknown_key_is_refused_in_every_shape(name: str) -> None:
    data = msgspec.json.decode((GOLDEN / name).read_bytes()) | {"surprise": 1}
    with pytest.raises(msgspec.ValidationError, match="unknown field `surprise`"):
        msgspec.json.decode(msgspec.json.encode(data), type=SHAPES[name])
