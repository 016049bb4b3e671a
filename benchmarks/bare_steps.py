"""The least that a builder in Python does whose steps run in other processes: `bare_steps.py COUNT JOBS FOLDER`.

This is its kernel, and bare_server.py its server. With one job each step adds to the number of the one before; with
more steps are independent, and laid out ahead. It prints the seconds per step, without the start of both.
"""

import gc
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from bare_server import FAILED, BareManifest, BareResult, read, write, write_whole

_SERVER = Path(__file__).resolve().with_name("bare_server.py")
_DECODE, _ENCODE = msgspec.msgpack.Decoder(BareResult).decode, msgspec.msgpack.Encoder().encode
Laid = tuple[str, str]  # a step's folder, and the digest of its action


class BareKernel:
    """What has steps run through two pipes: of orders, and of the jobs that have ended."""

    def __init__(self, orders: int, ends: int) -> None:
        self._orders, self._ends = orders, ends
        self._running: dict[int, Laid] = {}

    def lay_out(self, at: int, data: bytes, digest: str) -> Laid:
        """Make a step's folder."""
        folder = f"steps/{at}"
        os.mkdir(folder)
        manifest = _ENCODE(BareManifest("testing:add", at, {"number": digest}))
        write_whole(f"{folder}/manifest", manifest)
        write(f"{folder}/number", data)
        return folder, hashlib.sha256(manifest).hexdigest()

    def order(self, job: int, step: Laid) -> None:
        """Let a step run."""
        self._running[job] = step
        os.write(self._orders, bytes([job]) + step[0].encode())

    def wait(self) -> tuple[int, Laid]:
        """The next job that ends, and its step."""
        (job,) = os.read(self._ends, 1)
        if job >= FAILED:
            raise RuntimeError("a step failed")
        return job, self._running.pop(job)

    def take(self, step: Laid) -> tuple[bytes, str]:
        """Put what a step made into the store; returns it and its digest."""
        output = f"{step[0]}/{_DECODE(read(f'{step[0]}/result')).outputs['number']}"
        data = read(output)
        digest = hashlib.sha256(data).hexdigest()
        os.rename(output, f"blobs/{digest}")
        return data, digest

    def record(self, step: Laid, digest: str) -> None:
        """Write what the action has made, and remove the step's folder."""
        write_whole(f"actions/{step[1]}", _ENCODE(BareResult({"number": digest})))
        for name in ("manifest", "number", "result"):
            os.unlink(f"{step[0]}/{name}")
        os.rmdir(step[0])

    def run_chain(self, count: int) -> None:
        """Run steps of which each needs the one before, whose record is written meanwhile."""
        data, digest = b"5", ""
        before: Laid | None = None
        for at in range(count):
            step = self.lay_out(at, data, digest)
            self.order(0, step)
            if before is not None:
                self.record(before, digest)
            self.wait()
            data, digest = self.take(step)
            before = step
        self.record(step, digest)

    def run_independent(self, count: int, jobs: int) -> None:
        """Run steps that need no other, each as soon as one has ended."""
        for at in range(count + jobs):
            step = self.lay_out(at, b"5", "") if at < count else None
            job, before = self.wait() if at >= jobs else (at, None)
            if step is not None:
                self.order(job, step)
            if before is not None:
                self.record(before, self.take(before)[1])


def main(count: int, jobs: int) -> None:
    """Make the store in this folder, and run the steps."""
    for name in ("steps", "blobs", "actions"):
        os.mkdir(name)
    gc.disable()
    ordered, orders = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)  # what one child reads is one order
    ends, ended = os.pipe()
    server = [sys.executable, str(_SERVER), str(jobs)]
    # The pipe of orders ends before the server is waited for.
    with subprocess.Popen(server, stdin=ordered, stdout=ended), open(orders, "wb", buffering=0):
        os.close(ordered)
        os.close(ended)
        os.read(ends, 1)  # it has forked
        kernel = BareKernel(orders, ends)
        began = time.perf_counter()
        if jobs == 1:
            kernel.run_chain(count)
        else:
            kernel.run_independent(count, jobs)
        print((time.perf_counter() - began) / count)


if __name__ == "__main__":
    os.chdir(sys.argv[3])
    main(int(sys.argv[1]), int(sys.argv[2]))
