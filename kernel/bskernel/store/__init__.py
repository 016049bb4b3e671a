"""Stores artifacts and results: on disk, with an optional shared store behind it."""

from bskernel.store.disk import DiskStore
from bskernel.store.open_store import OpenStore
from bskernel.store.settings import SharedSettings, shared_settings

__all__ = ["DiskStore", "OpenStore", "SharedSettings", "shared_settings"]
