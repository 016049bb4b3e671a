"""Where artifacts and results are kept."""

from bskernel.store.disk import DiskStore

__all__ = ["DiskStore"]
