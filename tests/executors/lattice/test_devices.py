"""Parts of Lattice's, and boards, as data."""

import re

import pytest
from bskernel_executors.lattice.boards import list_board_parts, read_boards
from bskernel_executors.lattice.devices import (
    PATTERN,
    PROXY_PART,
    find_part,
    is_lattice,
    list_devices,
    name_family,
    part_for_finn,
)


def _name(device: str, speed: int | None, package: str) -> str:
    return f"{device}-{speed}{package}C" if speed is not None else f"{device}-{package}I"


@pytest.mark.parametrize("device", list_devices())
def test_every_device_is_found_in_each_of_its_packages_and_speeds(device: str) -> None:
    described = list_devices()[device]
    for speed in described.speeds or (None,):
        for package in described.packages:
            name = _name(device, speed, package)
            found = find_part(name.lower())
            assert (found.name, found.device, found.speed, found.device_name) == (name, described, speed, device)
            assert found.package.endswith(package[-2:])
            assert found.family == name_family(name.lower())
            assert re.fullmatch(PATTERN, name)


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("LFE5U-99F-6BG381C", "devices: LFE5U-12F, "),
        ("LFE5U-85F-9BG381C", "speeds 6, 7, 8"),
        ("LFE5U-85F-6BG256C", "packages BG381, BG554, BG756, MG285"),
        ("LFE5U-85F", "write device, speed and package, e.g. LFE5U-85F-6BG381C or iCE40UP5K-SG48I"),
        ("iCE40HX8K-CT256", "there is no device iCE40HX8K; devices: LFE5U-12F, "),
        ("iCE40UP5K-CM81I", "packages SG48, UWG30"),
        ("iCE40UP5K-6SG48I", "one speed, unnamed"),
        ("LFE5U-85F-BG381C", "speeds 6, 7, 8"),
        ("iCE40UP5K-SG48C", "write e.g. iCE40UP5K-SG48I"),
    ],
)
def test_a_part_that_does_not_exist_is_refused_with_the_choices(part: str, named: str) -> None:
    with pytest.raises(ValueError, match=part) as refused:
        find_part(part)
    assert named in str(refused.value)
    assert re.fullmatch(PATTERN, part) is None


@pytest.mark.parametrize("ending", ["", "I", "ITR", "ITR50", "ITR1K"])
def test_a_part_may_end_with_grade_and_reel(ending: str) -> None:
    assert find_part(f"iCE40UP5K-SG48{ending}").pins == 39
    assert re.fullmatch(PATTERN, f"iCE40UP5K-SG48{ending}")
    assert find_part("LFE5U-25F-6BG381C").pins is None


def test_every_board_has_a_part_that_exists_and_no_pin_twice() -> None:
    for name, board in read_boards().items():
        assert find_part(board.part).name == list_board_parts()[name]
        optional = [board.leds.pins if board.leds else (), board.high.pins if board.high else ()]
        pins = [board.clock.pin, board.uart.rx, board.uart.tx, *(pin for pins in optional for pin in pins)]
        pins += [board.button.pin] if board.button else []
        assert len(pins) == len(set(pins)), name
        assert board.clock.mhz > 1


def test_a_board_like_another_has_its_pins_and_a_part_of_its_own() -> None:
    small, large = read_boards()["ULX3S-25F"], read_boards()["ULX3S-85F"]
    assert (small.part, small.clock, small.leds) == ("LFE5U-25F-6BG381C", large.clock, large.leds)


def test_finn_computes_with_a_stand_in_for_lattices_parts_alone() -> None:
    assert part_for_finn("LFE5U-25F-6BG381C") == part_for_finn("iCE40UP5K-SG48I") == PROXY_PART
    assert not is_lattice(PROXY_PART)
    for part in ("xc7z020clg400-1", None):
        assert part_for_finn(part) == part
