"""ECP5 parts and boards as data."""

import pytest
from bskernel_executors.lattice.boards import list_board_parts, read_boards
from bskernel_executors.lattice.devices import PROXY_PART, find_part, is_ecp5, list_devices, part_for_finn


def _name(device: str, speed: int, package: str) -> str:
    return f"{device}-{speed}{package}C"


@pytest.mark.parametrize("device", list_devices())
def test_every_device_is_found_in_each_of_its_packages_and_speeds(device: str) -> None:
    described = list_devices()[device]
    for speed in described.speeds:
        for package in described.packages:
            found = find_part(_name(device, speed, package).lower())
            assert (found.device, found.speed, found.device_name) == (described, speed, device)
            assert found.package.endswith(package[2:])


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("LFE5U-99F-6BG381C", "devices: LFE5U-12F, "),
        ("LFE5U-85F-9BG381C", "speeds 6, 7, 8"),
        ("LFE5U-85F-6BG256C", "packages BG381, BG554, BG756, MG285"),
        ("LFE5U-85F", "write device, speed and package, e.g. LFE5U-85F-6BG381C"),
    ],
)
def test_a_part_that_does_not_exist_is_refused_with_the_choices(part: str, named: str) -> None:
    with pytest.raises(ValueError, match=part) as refused:
        find_part(part)
    assert named in str(refused.value)


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
    assert part_for_finn("LFE5U-25F-6BG381C") == PROXY_PART
    assert not is_ecp5(PROXY_PART)
    for part in ("xc7z020clg400-1", None):
        assert part_for_finn(part) == part
