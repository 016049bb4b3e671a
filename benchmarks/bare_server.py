"""The server of bare_steps.py: it forks children ahead, each of which takes one step from the pipe: `JOBS`."""

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


FAILED = 128  # a step's exit code is its job's number, or this
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


def copy_pages_ahead() -> None:
    """Do in memory what a step does: the pages of most of what it will write to are this process's own then."""
    _DECODE(_ENCODE(BareManifest("testing:add", 1, {"number": ""})))
    write("/dev/null", b"%d%s" % (int(b"1"), _ENCODE(BareResult({"number": "output"}))))
    read("/dev/null")


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


def serve(jobs: int) -> None:
    """Fork a child more than there are jobs, and another one whenever one has ended; tell the kernel which has."""
    import bskernel_protocol  # noqa: F401 - it is in an executor's memory, which each child shares

    gc.disable()
    gc.freeze()
    for at in range(sys.maxsize):
        if os.fork() == 0:
            code = FAILED
            try:
                if jobs == 1:  # with more a processor that does this is taken from other steps
                    copy_pages_ahead()
                code = run_step()
            finally:
                os._exit(code)
        if at == jobs:
            os.write(1, b"\0")
        if at >= jobs:
            code = os.waitstatus_to_exitcode(os.wait()[1]) & 255
            if code == _NO_STEP:
                return
            os.write(1, bytes([code]))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
