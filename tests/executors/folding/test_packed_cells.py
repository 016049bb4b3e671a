"""What nextpnr makes of a netlist: more carry cells on an ECP5, logic cells on an iCE40."""

import json
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.folding.packed_cells import count_packed
from bskernel_executors.sdk import StepFailure


def cell(kind: str, **ports: int | str) -> dict[str, Any]:
    return {"type": kind, "connections": {name: [net] for name, net in ports.items()}}


def write(folder: Path, cells: dict[str, Any]) -> Path:
    path = folder / "netlist.json"
    top = {"attributes": {"top": "00000000000000000000000000000001"}, "cells": cells}
    path.write_text(json.dumps({"modules": {"LUT4": {"cells": {}}, "bskernel_top": top}}))
    return path


def test_each_chain_of_carries_on_an_ecp5_is_fed_and_what_it_ends_with_or_logic_reads_is_taken_out(
    tmp_path: Path,
) -> None:
    cells = {
        "A_i.c0": cell("CCU2C", CIN="0", COUT=10),
        "A_i.c1": cell("CCU2C", CIN=10, COUT=11),
        "A_i.c2": cell("CCU2C", CIN=11, COUT=15),
        "A_i.l": cell("LUT4", A=10, Z=12),
        "A_i.f": cell("TRELLIS_FF", DI=12, Q=13),
        "B_i.c0": cell("CCU2C", CIN=13),
    }
    found = count_packed(write(tmp_path, cells), "ecp5", ("A", "B"))
    # Three carry cells and a LUT, a cell that feeds, two that take out the first and the last carry.
    assert (found["A"]["LUT"], found["A"]["FF"]) == (2 * 3 + 1 + 2 * 3, 1)
    assert found["B"]["LUT"] == 2 + 2


def test_a_logic_cell_holds_a_lut_with_the_flip_flop_that_it_alone_drives(tmp_path: Path) -> None:
    cells = {
        "A_i.l0": cell("SB_LUT4", I0=1, O=2),
        "A_i.f0": cell("SB_DFF", D=2, Q=3),
        "A_i.l1": cell("SB_LUT4", I0=3, O=4),
        "A_i.f1": cell("SB_DFFE", D=4, Q=5),
        "A_i.l2": cell("SB_LUT4", I0=4, O=6),  # reads what f1 reads, too
        "A_i.f2": cell("SB_DFF", D=5, Q=7),
    }
    assert count_packed(write(tmp_path, cells), "ice40", ("A",))["A"]["LUT"] == 3 + 3 - 1


def test_a_signal_that_begins_a_chain_and_a_carry_that_other_logic_reads_take_logic_cells(tmp_path: Path) -> None:
    chain = {
        "A_i.l0": cell("SB_LUT4", I1=1, I2=2, I3="0", O=3),
        "A_i.c0": cell("SB_CARRY", I0=1, I1=2, CI="0", CO=4),
        "A_i.l1": cell("SB_LUT4", I1=5, I2=6, I3=4, O=7),
        "A_i.c1": cell("SB_CARRY", I0=5, I1=6, CI=4, CO=8),
    }
    alone = count_packed(write(tmp_path, chain), "ice40", ("A",))["A"]
    assert (alone["LUT"], alone["CARRY"]) == (2, 2)
    fed = {**chain, "A_i.c0": cell("SB_CARRY", I0=1, I1=2, CI=9, CO=4)}
    assert count_packed(write(tmp_path, fed), "ice40", ("A",))["A"]["LUT"] == 3
    read = {**chain, "A_i.f": cell("SB_DFF", D=8, Q=10)}
    assert count_packed(write(tmp_path, read), "ice40", ("A",))["A"]["LUT"] == 2 + 1 + 1


@pytest.mark.parametrize("text", ["no", '{"modules": {"a": {"cells": {}}}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(StepFailure, match="lattice_netlist"):
        count_packed(tmp_path / "n.json", "ecp5", ())
