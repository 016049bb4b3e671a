"""What a run needs to open a cluster of any kind."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.cluster.address import ClusterAddress, LocalAddress
from bskernel.config import Config
from bskernel.core.errors import ConfigError
from bskernel.store import SharedSettings


class ClusterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The run's configuration, and what the workers need to know about this machine."""

    config: Config
    shared: SharedSettings | None
    root: Path  # the checkout
    recipes: tuple[Path, ...] = ()  # further folders of recipes, which come first
    cache: Path  # this machine's
    runtime: str
    share: bool  # recall results of other builds

    def shared_for(self, address: ClusterAddress) -> SharedSettings | None:
        """The workers' shared store: on other machines inputs and results pass through it.

        Raises ConfigError when no shared store is set or it is read-only.
        """
        if isinstance(address, LocalAddress):
            return self.shared
        if self.shared is None:
            raise ConfigError(
                "--cluster: workers on other machines need a shared store, and none is set",
                hint='set store.shared = "FOLDER or URL" and store.mode = "write-through", or BSKERNEL_STORE and '
                "BSKERNEL_STORE_MODE",
            )
        if self.shared.mode == "read-only":
            raise ConfigError(
                f"--cluster: workers on other machines must write to the shared store {self.shared.shown}, which is "
                "read-only here",
                hint='set store.mode = "write-through", or BSKERNEL_STORE_MODE=write-through',
            )
        return msgspec.structs.replace(self.shared, mode="write-through")
