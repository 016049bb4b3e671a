"""A scheduler and workers of this machine, started and ended, with tasks that do nothing: milliseconds of each.

`python bare_cluster.py FOLDER WORKERS TASKS`, a process of its own as a build is.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bskernel.cluster.address import LocalAddress
from bskernel.cluster.local_workers import local_workers
from bskernel.cluster.request import ClusterRequest
from bskernel.config import BuildSection, Config

if TYPE_CHECKING:
    from distributed import Future

_BYTES = 1_500  # of a step's request


def main(folder: Path, count: int, tasks: int) -> None:
    """Submit the tasks, twice as many at a time as there are workers, and wait for each without its result."""
    config = Config(build=BuildSection(model="none"))
    request = ClusterRequest(config=config, shared=None, root=folder, cache=folder, runtime="process", share=True)
    with local_workers(folder) as workers:
        from bskernel.cluster.connection import local_cluster

        with local_cluster(LocalAddress(workers=count), request, lambda _: None, workers) as cluster:
            room = threading.Semaphore(2 * count)
            data = b"x" * _BYTES

            def end(future: Future[int]) -> None:
                future.release()
                room.release()

            began = time.perf_counter()
            for at in range(tasks):
                room.acquire()
                cluster.client.submit(len, data, key=f"nothing-{at}").add_done_callback(end)
            for _ in range(2 * count):
                room.acquire()
            print((time.perf_counter() - began) / max(tasks, 1) * 1e3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
