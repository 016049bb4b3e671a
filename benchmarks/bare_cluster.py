"""A scheduler and workers of this machine, started and ended: `python bare_cluster.py FOLDER WORKERS`.

A process of its own, as a build is.
"""

from __future__ import annotations

import queue
import sys
from pathlib import Path

from bskernel.cluster.address import LocalAddress
from bskernel.cluster.local_workers import local_workers
from bskernel.cluster.request import ClusterRequest
from bskernel.config import BuildSection, Config


def main(folder: Path, count: int) -> None:
    """Start them, wait until one could take a step, and end them."""
    config = Config(build=BuildSection(model="none"))
    request = ClusterRequest(config=config, shared=None, root=folder, cache=folder, runtime="process", share=True)
    with local_workers(folder) as workers:
        from bskernel.cluster.connection import linked_pool

        with linked_pool(LocalAddress(workers=count), request, lambda _: None, queue.SimpleQueue(), workers):
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
