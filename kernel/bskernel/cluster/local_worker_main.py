"""`dask worker` that ends together with its parent process (`-m bskernel.cluster.local_worker_main`)."""

from __future__ import annotations

import os
import signal
import sys
import time

from distributed.cli.dask_worker import main

from bskernel.host.thread import Thread

_END_S = 10.0


def _end_with_parent() -> None:
    """End when stdin closes, which happens however the parent ends, even before the worker has a scheduler."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_S)
    os._exit(1)


if __name__ == "__main__":
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    main()
