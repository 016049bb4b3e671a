"""The target of a build, checked by the boards of the executors' catalogues."""

from pathlib import Path

import fastjsonschema
import pytest
from bskernel.config import TargetSection
from bskernel.core.errors import ConfigError
from bskernel.images import find_recipes, load_executors
from bskernel.plan.target import check_objective, doubts_about, part_of
from bskernel_protocol import EntryDescription, ParameterDescription
from support.paths import ROOT

BOARDS = {"ZCU104": "xczu7ev-ffvc1156-2-e", "Pynq-Z1": "xc7z020clg400-1"}
HERE = Path("/b.toml")


@pytest.mark.parametrize(
    ("board", "part", "found"),
    [
        (None, None, None),
        (None, "xczu3eg-sbva484-1-e", "xczu3eg-sbva484-1-e"),
        ("ZCU104", None, "xczu7ev-ffvc1156-2-e"),
        ("ZCU104", "XCZU7EV-FFVC1156-2-E", "xczu7ev-ffvc1156-2-e"),
    ],
)
def test_the_board_gives_the_part(board: str | None, part: str | None, found: str | None) -> None:
    assert part_of(TargetSection(board=board, part=part), BOARDS, HERE) == found


def test_without_an_executor_that_knows_boards_any_board_is_right() -> None:
    assert part_of(TargetSection(board="mine"), {}, HERE) is None
    with pytest.raises(ConfigError, match="unknown board 'mine'"):
        part_of(TargetSection(board="mine"), BOARDS, HERE)


def test_the_part_of_every_shipped_board_has_the_form_that_steps_ask_for() -> None:
    known = [info for info in load_executors(find_recipes(ROOT)).known if info.name == "finn-step"]
    assert len(known) == 2
    for info in known:
        parameters = [item for entry in info.catalogue.entries for item in entry.parameters]
        schemas = [item.schema for item in parameters if item.name == "fpga_part" and item.required]
        assert schemas
        assert info.catalogue.boards["ZCU104"] == "xczu7ev-ffvc1156-2-e"
        for part in info.catalogue.boards.values():
            fastjsonschema.compile(schemas[0])(part)


def test_an_objective_that_no_step_takes_is_refused() -> None:
    target = TargetSection(objective="fastest")
    with pytest.raises(ConfigError, match="no step of this build optimises a folding"):
        check_objective(target, (), HERE)
    takes = ParameterDescription(name="objective", help="", schema={}, required=True, default_from="target.objective")
    entry = EntryDescription(name="optimize", summary="", parameters=(takes,))
    check_objective(target, (entry,), HERE)
    check_objective(TargetSection(), (), HERE)


@pytest.mark.parametrize(
    ("clock_ns", "fps", "doubts"),
    [(5.0, 200_000_000, 0), (5.0, 200_000_001, 1), (50.0, None, 0), (50.1, None, 1), (2000.0, 600_000, 2)],
)
def test_doubts_begin_at_20_mhz_and_at_one_frame_per_cycle(clock_ns: float, fps: int | None, doubts: int) -> None:
    assert len(doubts_about(TargetSection(clock_ns=clock_ns, target_fps=fps))) == doubts
