"""What a run asks of a cluster, whichever it is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.cluster.address import LocalAddress, Place
from bskernel.config import Config
from bskernel.core.errors import ConfigError
from bskernel.store import SharedSettings


class ClusterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The run's configuration, and what of this machine the workers need to know."""

    config: Config
    shared: SharedSettings | None
    root: Path  # the checkout
    cache: Path  # this machine's
    runtime: str
    share: bool  # recall what others made meanwhile

    def shared_for(self, place: Place) -> SharedSettings | None:
        """The shared store as the workers use it: on other machines it is where results are handed over.

        Raises ConfigError when there is none, or it may not be written to.
        """
        if isinstance(place, LocalAddress):
            return self.shared
        if self.shared is None:
            raise ConfigError(
                "--cluster: other machines hand over results by a shared store, and there is none",
                hint='set store.shared = "FOLDER or URL" and store.mode = "write-through", or BSKERNEL_STORE and '
                "BSKERNEL_STORE_MODE",
            )
        if self.shared.mode == "read-only":
            raise ConfigError(
                f"--cluster: other machines hand over results by the shared store {self.shared.shown}, which is "
                "read-only here",
                hint='set store.mode = "write-through", or BSKERNEL_STORE_MODE=write-through',
            )
        return msgspec.structs.replace(self.shared, mode="write-through")
