"""The server of bare_steps.py: a process for each job takes one step after another from a pipe."""

import gc
import os
import sys

import msgspec


class BareManifest(msgspec.Struct, frozen=True, array_like=True):
    """What a step is told."""

    entry: str
    number: int
    inputs: dict[str, str]


class BareResult(msgspec.Struct, frozen=True, array_like=True):
    """What a step leaves; in the store, by digest."""

    outputs: dict[str, str]


FAILED = 128  # in place of a job's number
_NO_STEP = 255
_DECODE, _ENCODE = msgspec.msgpack.Decoder(BareManifest).decode, msgspec.msgpack.Encoder().encode


def read(name: str) -> bytes:
    """A small file."""
    file = os.open(name, os.O_RDONLY)
    data = os.read(file, 1 << 16)
    os.close(file)
    return data


def write(name: str, data: bytes) -> None:
    """Write a small file."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, data)
    os.close(file)


def write_whole(name: str, data: bytes) -> None:
    """Write a file that others see whole or not at all."""
    write(f"{name}.new", data)
    os.rename(f"{name}.new", name)


def run_step() -> int:
    """Take an order from the pipe and run its step; returns the job."""
    order = os.read(0, 1 << 12)
    if not order:
        return _NO_STEP
    folder = order[1:].decode()
    number = int(read(f"{folder}/number")) + _DECODE(read(f"{folder}/manifest")).number
    write(f"{folder}/output", b"%d" % number)
    write_whole(f"{folder}/result", _ENCODE(BareResult({"number": "output"})))
    return order[0]


def run_steps() -> None:
    """Run steps until there are no more, and tell the kernel which jobs have ended."""
    while (job := run_step()) != _NO_STEP:
        os.write(1, bytes([job]))


def serve(jobs: int) -> None:
    """Fork a process for each job; those of failed steps are told as FAILED."""
    import bskernel_protocol  # noqa: F401 - it is in an executor's memory, which each of them shares

    gc.disable()
    gc.freeze()
    for _ in range(jobs):
        if os.fork() == 0:
            try:
                run_steps()
            except BaseException:
                os.write(1, bytes([FAILED]))
                raise
            finally:
                os._exit(0)
    os.write(1, b"\0")
    for _ in range(jobs):
        os.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
