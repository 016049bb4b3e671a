"""Where artifacts and results are kept: on disk, and behind that in a store that machines share."""

from bskernel.store.disk import DiskStore
from bskernel.store.open_store import OpenStore
from bskernel.store.settings import SharedSettings, shared_settings

__all__ = ["DiskStore", "OpenStore", "SharedSettings", "shared_settings"]
