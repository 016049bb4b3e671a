"""`dask worker` that ends with the process that started it (`-m bskernel.cluster.local_worker_main`)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from distributed.cli.dask_worker import main

_END_S = 10.0


def _end_with_starter() -> None:
    """Standard input closes with its other end, however that ends: also while there is no scheduler yet to lose."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, name="starter", daemon=True).start()
    main()
