"""A whole board, simulated behind a pseudo-terminal, with the real host program."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.board.answers import Frames
from bskernel.board.facts import read_frames
from bskernel.board.link import BoardLink
from bskernel.board.serial_port import SerialPort
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.workspace.workspace import Workspace
from conftest import Cli
from support.small_board import FRAMES, build_board, simulate

pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does"),
]
PATIENCE = 30.0


@pytest.fixture(scope="module")
def built(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The board with a self-test of all frames."""
    folder = tmp_path_factory.mktemp("board")
    return build_board(workspace, folder, "parameters = { self_test = true }\n")


@pytest.fixture
def board(built: tuple[Path, str]) -> Iterator[tuple[Path, str]]:
    """The build, and the port of its board, which was just switched on."""
    with simulate(built[0]) as (port, _):
        yield built[0], port


def test_frames_are_exact_on_the_board_and_what_was_measured_is_written_beside_the_build(
    board: tuple[Path, str], cli: Cli
) -> None:
    build, port = board
    before = (build / "result.json").read_bytes(), (build / "metrics.json").exists()
    done = cli("board", "run", str(build), "--port", port, "--timeout", "30", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    score = measured["score"]
    assert (score["exact"], score["frames"], score["accuracy"]) == (FRAMES, FRAMES, 0.75)
    # Six beats in, three beats out, and one cycle to turn round.
    assert (score["first_cycles"], score["cycles_per_frame"]) == (9, 9)
    assert measured["self_test"] == {
        "verdict": 1, "frames": FRAMES, "wrong": 0, "first_cycles": 9, "all_cycles": 9 * FRAMES
    }  # fmt: skip
    assert before == ((build / "result.json").read_bytes(), (build / "metrics.json").exists())
    metrics = json.loads((build / "board-run" / "metrics.json").read_text())
    (row,) = metrics["throughput"]
    assert (row["stage"], row["unit"], row["value"]) == ("measured", "inferences/s", 25e6 / 9)
    assert row["source"].startswith("stand-in: "), "what is behind a pseudo-terminal is no hardware"
    assert "measured" in cli("diff", str(build), str(build / "board-run")).stdout


def test_a_person_reads_what_was_measured(board: tuple[Path, str], cli: Cli) -> None:
    done = cli("board", "run", str(board[0]), "--port", board[1], "--timeout", "30", "--frames", "7")
    assert "bit-exact      7 of 7 frames" in done.stdout
    assert "2,777,778 frames/s: 9 cycles per frame at 25 MHz" in done.stdout
    assert f"self-test      passed: {FRAMES} of {FRAMES} frames" in done.stdout


def test_the_build_says_how_many_frames_the_self_test_has(built: tuple[Path, str]) -> None:
    assert f"self-test          {FRAMES} of {FRAMES} frames in block RAM" in built[1]
    assert "ULX3S-85F at 25 MHz, UART of 1,000,000 baud" in built[1]


def test_a_frame_that_differs_is_named_and_fails(board: tuple[Path, str], cli: Cli, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(board[0], copy)
    expected = bytearray((copy / "artifacts" / "board" / "expected.bin").read_bytes())
    expected[5 * 6] ^= 4  # the first value of frame 5
    (copy / "artifacts" / "board" / "expected.bin").write_bytes(expected)
    done = cli("board", "run", str(copy), "--port", board[1], "--timeout", "30")
    assert done.returncode == 3
    assert f"bit-exact      {FRAMES - 1} of {FRAMES} frames" in done.stdout
    assert "frame 5 differs first" in done.stdout


class Disturbed:
    """A line that damages every second request: a byte is lost, a bit changes, noise comes before it."""

    def __init__(self, port: SerialPort, changed: tuple[int, ...]) -> None:
        """Change a bit in the answers to the requests of these numbers."""
        self.port, self.random, self.changed = port, random.Random(1), changed  # noqa: S311 - must be repeatable
        self.requests, self.fresh = 0, True

    def write(self, data: bytes, patience: float) -> None:
        at, kind = self.random.randrange(len(data)), self.requests % 6
        damaged = {
            1: data[:at] + data[at + 1 :],
            3: data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :],
            5: self.random.randbytes(9) + b"\xa5\x5a" + data,
        }
        self.requests, self.fresh = self.requests + 1, True
        self.port.write(damaged.get(kind, data), patience)

    def read(self, patience: float) -> bytes:
        data = self.port.read(patience)
        if data and self.fresh and self.requests - 1 in self.changed:
            data = bytes([data[0] ^ 16]) + data[1:]
        self.fresh = self.fresh and not data
        return data


def find_shift(link: BoardLink, frames: Frames, first: int, count: int) -> int:
    """By how much all results of some frames differ from what is expected of them: the frames computed in between."""
    size, out = frames.facts.input.frame_bytes, frames.facts.output
    answer = link.compute(frames.inputs[first * size : (first + count) * size])
    wanted = frames.expected[first * out.frame_bytes : (first + count) * out.frame_bytes]
    values = zip(out.read_values(answer.outputs), out.read_values(wanted), strict=True)
    (shift,) = {got - expected for got, expected in values}
    return shift


def test_what_a_bad_line_spoils_is_repeated_until_it_is_right(board: tuple[Path, str]) -> None:
    frames = read_frames(board[0] / "artifacts" / "board")
    with SerialPort(Path(board[1]), frames.facts.baud) as port:
        quiet = BoardLink(port, frames.facts, board[1], PATIENCE)
        quiet.check_identity()
        quiet.restart()
        line = Disturbed(port, changed=(6,))
        link = BoardLink(line, frames.facts, board[1], 2.5)
        # Frames that were computed, and whose results were lost, count.
        assert [find_shift(link, frames, 0, 3) % 3 for _ in range(6)] == [0] * 6
        assert link.repeated >= 4
        assert line.requests == 6 + link.repeated
        quiet.restart()
        assert find_shift(quiet, frames, 0, FRAMES) == 0


def test_a_reset_begins_the_design_again(board: tuple[Path, str]) -> None:
    frames = read_frames(board[0] / "artifacts" / "board")
    with SerialPort(Path(board[1]), frames.facts.baud) as port:
        link = BoardLink(port, frames.facts, board[1], PATIENCE)
        link.check_identity()
        link.restart()
        assert find_shift(link, frames, 0, 4) == 0
        assert find_shift(link, frames, 4, 4) == 0
        link.restart()
        assert find_shift(link, frames, 4, 4) == -4
        link.restart()
        assert find_shift(link, frames, 0, 4) == 0


def test_a_request_without_whole_frames_is_refused_by_the_board(board: tuple[Path, str]) -> None:
    frames = read_frames(board[0] / "artifacts" / "board")
    with SerialPort(Path(board[1]), frames.facts.baud) as port:
        link = BoardLink(port, frames.facts, board[1], PATIENCE)
        link.check_identity()
        with pytest.raises(EnvironmentLacking, match="a request holds no whole frames, 4 times in a row"):
            link.compute(bytes(7))


def test_another_build_s_bitstream_is_refused(board: tuple[Path, str], workspace: Workspace, tmp_path: Path) -> None:
    other, _ = build_board(workspace, tmp_path)
    frames = read_frames(other / "artifacts" / "board")
    with (
        SerialPort(Path(board[1]), frames.facts.baud) as port,
        pytest.raises(ConfigError, match="the board holds another design"),
    ):
        BoardLink(port, frames.facts, board[1], PATIENCE).check_identity()


def test_a_board_that_is_unplugged_in_the_middle_is_named(built: tuple[Path, str]) -> None:
    frames = read_frames(built[0] / "artifacts" / "board")
    with simulate(built[0]) as (name, process), SerialPort(Path(name), frames.facts.baud) as port:
        link = BoardLink(port, frames.facts, name, PATIENCE)
        link.check_identity()
        process.kill()
        process.wait()
        with pytest.raises(EnvironmentLacking, match=f"{name}: the board was unplugged"):
            link.restart()


def test_a_port_that_is_not_there_or_has_no_board_is_named(built: tuple[Path, str], cli: Cli) -> None:
    missing = cli("board", "run", str(built[0]), "--port", "/dev/ttyUSB99")
    assert (missing.returncode, "/dev/ttyUSB99: no such port" in missing.stderr) == (2, True)
    file = cli("board", "run", str(built[0]), "--port", str(built[0] / "result.json"))
    assert (file.returncode, "is no serial port" in file.stderr) == (2, True)
    master, slave = os.openpty()
    try:
        silent = cli("board", "run", str(built[0]), "--port", os.ttyname(slave), "--timeout", "0.5")
    finally:
        os.close(master)
        os.close(slave)
    assert (silent.returncode, "nobody answers at 1,000,000 baud" in silent.stderr) == (4, True)


def test_the_lamp_shows_the_verdict_of_a_self_test_without_a_host(built: tuple[Path, str], tmp_path: Path) -> None:
    def lamp(folder: Path) -> str:
        command = [str(folder / "board"), "60", "40000"]
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            return next(line.strip() for line in process.stdout if line.startswith("led0"))

    right = built[0] / "artifacts" / "board_simulator"
    assert lamp(right) == "led0 is lit"
    wrong = tmp_path / "wrong"
    shutil.copytree(right, wrong)
    file = wrong / "mem" / "board_test_outputs.dat"
    lines = file.read_text().splitlines()
    lines[7] = f"{int(lines[7], 16) ^ 1:03x}"
    file.write_text("\n".join(lines))
    assert lamp(wrong) == "led0 is dark"


def test_flashing_prints_the_command_and_refuses_what_cannot_be_flashed(
    built: tuple[Path, str], cli: Cli, tmp_path: Path
) -> None:
    refused = cli("board", "flash", str(built[0]), "--dry-run")
    assert (refused.returncode, "has no bitstream" in refused.stderr) == (2, True)
    copy = tmp_path / "copy"
    shutil.copytree(built[0], copy)
    (copy / "artifacts" / "bitstream.bit").write_bytes(b"bits")
    shown = cli("board", "flash", str(copy), "--dry-run")
    assert shown.stdout == f"openFPGALoader --board ulx3s --write-sram {copy}/artifacts/bitstream.bit\n"
    kept = cli("board", "flash", str(copy), "--dry-run", "--keep")
    assert "--write-flash" in kept.stdout


def test_a_build_without_a_board_is_refused_with_what_to_build(
    built: tuple[Path, str], cli: Cli, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(built[0] / "result.json", copy)
    done = cli("board", "run", str(copy), "--port", "/dev/null")
    assert (done.returncode, 'flow = "board"' in done.stderr) == (2, True)
