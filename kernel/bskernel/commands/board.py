"""Use cases of a board: run a build's frames on it, or flash a build's bitstream."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel.board.answers import Answer, Facts, SelfTest
from bskernel.board.facts import read_frames
from bskernel.board.link import BoardLink
from bskernel.board.score import Score, score
from bskernel.board.serial_port import SerialPort, list_ports
from bskernel.core.errors import EXIT_OK, EXIT_STEP_FAILED, ConfigError, EnvironmentLacking
from bskernel.core.places import place_lacking
from bskernel.result.build_directory import METRICS, RESULT
from bskernel.result.exported_artifacts import ARTIFACTS
from bskernel.result.quantities import STAND_IN
from bskernel.result.result_file import DAMAGED, read_result

BOARD_RUN = "board-run"  # the folder, in the build directory, of what was measured
_PSEUDO = "/dev/pts/"  # a pseudo-terminal: what is behind it is a program


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a run on a board found."""

    build: str
    board: str
    port: str
    identity: str
    clock_hz: int
    score: Score
    frames_per_second_over_uart: float
    repeated_requests: int
    self_test: SelfTest | None  # of a bitstream with one

    @property
    def exit_code(self) -> int:
        """A frame that differs is a failure, and so is a failed self-test."""
        failed = self.score.exact < self.score.frames or (self.self_test is not None and self.self_test.verdict == 2)
        return EXIT_STEP_FAILED if failed else EXIT_OK


class _NamedResult(msgspec.Struct, frozen=True):
    name: str
    metrics: dict[str, Any] | None = None


def find_port() -> Path:
    """Find the only USB serial port of this machine. Raises ConfigError if there is none, or several."""
    ports = list_ports()
    if len(ports) != 1:
        there = f"there are {', '.join(ports)}" if ports else "there is no USB serial port"
        raise ConfigError(f"which port is the board's? {there}", hint="name it: --port /dev/ttyUSB0")
    return Path(ports[0])


def run_on_board(
    build: Path, port: Path, *, frames: int | None, patience: float, progress: Callable[[int, int], None]
) -> Measured:
    """Send the build's frames to the board at a port, and write what was measured to BUILD/board-run.

    Raises ConfigError, EnvironmentLacking.
    """
    name = read_result(build, _NamedResult).name
    given = read_frames(build / ARTIFACTS / "board")
    facts = given.facts
    if frames is not None and not 1 <= frames <= facts.frames:
        raise ConfigError(f"--frames {frames}: the build has 1 to {facts.frames} frames")
    count = frames or facts.frames
    with SerialPort(port, facts.baud) as opened:
        link = BoardLink(opened, facts, str(port), patience)
        link.check_identity()
        self_test = link.read_self_test() if facts.test_frames else None
        link.restart()
        answers: list[Answer] = []
        begun = time.monotonic()
        size, most = facts.input.frame_bytes, facts.frames_per_request
        for at in range(0, count, most):
            progress(at, count)
            answers.append(link.compute(given.inputs[at * size : min(at + most, count) * size]))
        took = time.monotonic() - begun
    measured = Measured(
        build=name,
        board=facts.board,
        port=str(port),
        identity=facts.identity,
        clock_hz=facts.clock_hz,
        score=score(facts, given.expected, answers),
        frames_per_second_over_uart=count / took,
        repeated_requests=link.repeated,
        self_test=self_test,
    )
    _write(build, measured)
    return measured


def make_metrics(measured: Measured) -> dict[str, list[dict[str, Any]]]:
    """The quantities of stage "measured". What is behind a pseudo-terminal is no hardware, and its source says so."""
    found, clock = measured.score, measured.clock_hz
    source = f"{measured.board} at {measured.port}"
    if measured.port.startswith(_PSEUDO):
        source = f"{STAND_IN}: {measured.board} behind a pseudo-terminal"
    pace = found.cycles_per_frame
    rows = {
        "accuracy": ("fraction", found.accuracy),
        "clock": ("MHz", clock / 1e6),
        "latency": ("us", found.first_cycles / clock * 1e6),
        "throughput": ("inferences/s", None if pace is None else clock / pace),
    }
    return {
        name: [{"source": source, "stage": "measured", "unit": unit, "value": value}]
        for name, (unit, value) in rows.items()
        if value is not None
    }


def _write(build: Path, measured: Measured) -> None:
    """Write a copy of the build's result with the quantities that were measured; the build's own stays as it is."""
    folder = build / BOARD_RUN
    try:
        result = msgspec.json.decode((build / RESULT).read_bytes())
        metrics = dict(result.get("metrics") or {})
        for name, rows in make_metrics(measured).items():
            metrics[name] = [*metrics.get(name, ()), *rows]
        result |= {"metrics": metrics, "board_run": msgspec.to_builtins(measured), "artifacts": {}, "by_step": {}}
        folder.mkdir(exist_ok=True)
        (folder / METRICS).write_text(pretty_json(metrics), encoding="utf-8")
        (folder / RESULT).write_text(pretty_json(result), encoding="utf-8")
    except DAMAGED as error:
        raise ConfigError(
            f"{build / RESULT}: not the result of a build: {error}", hint="run the build again"
        ) from error
    except OSError as error:
        raise place_lacking(error) or ConfigError(f"{folder}: cannot be written: {error.strerror}") from error


class Flash(msgspec.Struct, frozen=True, kw_only=True):
    """The command that flashes a build's bitstream."""

    board: str
    bitstream: Path
    command: tuple[str, ...]


# Names of openFPGALoader's boards (`openFPGALoader --list-boards`).
_LOADER_BOARDS = {
    "ULX3S": "ulx3s",
    "OrangeCrab": "orangeCrab",
    "ECPIX-5": "ecpix5",
    "ECP5-EVN": "ecp5_evn",
    "Colorlight-i5": "colorlight-i5",
    "IcePi-Zero": "icepi-zero",
}


def plan_flash(build: Path, *, keep: bool) -> Flash:
    """Compute how to flash a build; with `keep` into the memory that a board starts from. Raises ConfigError."""
    facts: Facts = read_frames(build / ARTIFACTS / "board").facts
    bitstream = build / ARTIFACTS / "bitstream.bit"
    if not bitstream.is_file():
        raise ConfigError(
            f"{build}: has no bitstream", hint='build with flow = "board": a design that misses its clock gets none'
        )
    kind = next((loader for name, loader in _LOADER_BOARDS.items() if facts.board.startswith(name)), None)
    if kind is None:
        raise ConfigError(
            f"openFPGALoader has no name for board {facts.board}",
            hint=f"flash {bitstream} by hand, e.g. openFPGALoader --cable CABLE {bitstream}",
        )
    place = "--write-flash" if keep else "--write-sram"
    return Flash(
        board=facts.board,
        bitstream=bitstream,
        command=("openFPGALoader", "--board", kind, place, str(bitstream)),
    )


def flash(plan: Flash) -> None:
    """Run the command. Raises EnvironmentLacking if it is not installed, or fails."""
    if shutil.which(plan.command[0]) is None:
        raise EnvironmentLacking(
            "openFPGALoader is not installed",
            hint="Debian: apt install openfpgaloader",
        )
    done = subprocess.run(plan.command, check=False)
    if done.returncode:
        raise EnvironmentLacking(
            f"openFPGALoader failed with exit code {done.returncode}", hint="its messages stand above"
        )
