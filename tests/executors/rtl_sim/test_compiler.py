"""What of a design a simulator for FIFO sizes leaves out."""

from pathlib import Path

import pytest
from bskernel_executors.rtl_sim.compiler import leave_out_arithmetic

UNIT = "module mvu; localparam int unsigned  PIPELINE_DEPTH = 3 + $clog2(SIMD) + (SIMD == 1) + 1;\nendmodule\n"


def test_the_unit_for_products_is_replaced_by_its_control(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/mvu.sv").write_text(UNIT)
    (tmp_path / "lib/other.sv").write_text(UNIT)
    leave_out_arithmetic(tmp_path, ("lib/mvu.sv", "lib/other.sv"))
    control = (tmp_path / "lib/mvu.sv").read_text()
    assert "module mvu #(" in control
    assert "assign p = '0;" in control
    assert (tmp_path / "lib/other.sv").read_text() == UNIT


@pytest.mark.parametrize("latency", ["4 + $clog2(SIMD) + (SIMD == 1) + 1", "DEPTH"])
def test_a_unit_with_another_latency_stays_as_it_is(tmp_path: Path, latency: str) -> None:
    unit = UNIT.replace("3 + $clog2(SIMD) + (SIMD == 1) + 1", latency)
    (tmp_path / "mvu.sv").write_text(unit)
    leave_out_arithmetic(tmp_path, ("mvu.sv",))
    assert (tmp_path / "mvu.sv").read_text() == unit
