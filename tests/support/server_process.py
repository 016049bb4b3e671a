"""The server of the tests' executor, without a kernel."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import msgspec
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    LogLine,
    OutputLine,
    Ready,
    RunStep,
    StepFinished,
    StepManifest,
    StepResult,
    decode_document,
    decode_event,
    digest_of_bytes,
    encode,
    read_frame,
    write_frame,
)

from support.paths import TESTS

LICENCE = "27000@licence-host"


class ServerProcess:
    """The testing executor's server, as a kernel starts it."""

    def __init__(self, folder: Path, *options: str, module: str = "arithmetic") -> None:
        self.folder = folder
        self.events: list[Any] = []
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": f"{TESTS / 'testing_executor'}:{folder}",
            "BSKERNEL_EXECUTOR": "testing@1",
            "XILINXD_LICENSE_FILE": LICENCE,
        }
        command = [sys.executable, *options, "-m", "bskernel_executors.sdk", "serve", "--root", str(folder)]
        self.process = subprocess.Popen(
            [*command, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
        )
        assert isinstance(self.next_event(), Ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def next_event(self) -> Any:
        assert self.process.stdout is not None
        frame = read_frame(self.process.stdout)
        assert frame is not None
        return decode_event(frame)

    def start(self, name: str, entry: str, **parameters: Any) -> None:
        """Start a step."""
        directory = self.folder / name
        (directory / "in").mkdir(parents=True)
        (directory / "in" / "model").write_text("1")
        manifest = StepManifest(
            protocol=PROTOCOL_VERSION,
            step=name,
            executor="testing",
            version="1",
            executor_digest="0" * 64,
            entry=entry,
            parameters=parameters,
            inputs=(Artifact(name="model", kind="file", digest=digest_of_bytes(b"1")),),
        )
        (directory / "manifest.msgpack").write_bytes(encode(manifest))
        self.order(name)

    def order(self, name: str) -> None:
        """Have the server start a step whose folder is there."""
        assert self.process.stdin is not None
        write_frame(self.process.stdin, encode(RunStep(directory=name)))

    def run(self, name: str, entry: str, **parameters: Any) -> list[OutputLine]:
        """Run a step; the lines that the kernel gets."""
        self.start(name, entry, **parameters)
        assert self.finish(name).failure is None
        return [event for event in self.events if isinstance(event, OutputLine)]

    def finish(self, name: str) -> StepResult:
        """Wait for the end of the step; `events` are what the kernel gets until then, the last one is its end."""
        self.events = [self.next_event()]
        while not isinstance(self.events[-1], StepFinished):
            self.events.append(self.next_event())
        result = decode_document((self.folder / name / "result.msgpack").read_bytes())
        assert isinstance(result, StepResult)
        return result

    def log_of(self, name: str) -> list[LogLine]:
        lines = (self.folder / name / "log.jsonl").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=LogLine) for line in lines]

    def output_of(self, name: str) -> bytes:
        return (self.folder / name / "out" / "model").read_bytes()
