"""Administers the cache and the shared store: push, pull, stat, check, gc."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bskernel.commands.made_items import collect_made, find_made
from bskernel.commands.preview import recall_each
from bskernel.config import StoreSection
from bskernel.config.decoder import convert
from bskernel.config.reader import override_store, read_config, restrict_store
from bskernel.core.action import Action, ActionResult
from bskernel.core.errors import BskernelError, ConfigError, EnvironmentLacking
from bskernel.flow.loader import check_config, load_config
from bskernel.flow.selection import RangeRequest
from bskernel.images.environment import cache_folder
from bskernel.images.usage import MadeItem
from bskernel.remains.plain_files import discard
from bskernel.result.build_directory import BuildDirectory
from bskernel.store import DiskStore, SharedSettings, shared_settings
from bskernel.store.gc import Checked, Garbage, StoreCounts, check, collect_needs, count, find_garbage, remove
from bskernel.store.gc import repair as remove_found
from bskernel.store.inventory import Inventory, LocalInventory, SharedInventory
from bskernel.store.known_results import KNOWN
from bskernel.store.layered import LayeredStore
from bskernel.store.remote import RemoteStore
from bskernel.store.upload_journal import UploadJournal, all_pending
from bskernel.store.uploader import Pushed
from bskernel.store.usage_lock import hold_exclusive, hold_shared
from bskernel.sweeps.execution.preparation import PreparedSweep
from bskernel.sweeps.execution.preview import recall_nodes
from bskernel.sweeps.results.sweep_file import POINTS
from bskernel.workspace.trust import Trust, trusted_store
from bskernel.workspace.workspace import Workspace

T = TypeVar("T")
Note = Callable[[str], None]


class StoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A store, with the number and size of its contents."""

    where: str
    holds: StoreCounts


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """Both stores, and how many results are waiting to be pushed; None without a shared store."""

    local: StoreSummary
    made: tuple[MadeItem, ...] = ()  # the environments and images of executors
    shared: StoreSummary | None = None
    pending: int | None = None


class Collected(Garbage, frozen=True, kw_only=True):
    """What was removed, or would be: from a store, and of the environments and images of executors."""

    made: tuple[MadeItem, ...] = ()


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """How many results were pulled, were in the cache already, or are in neither store or of unknown key."""

    pulled: int = 0
    present: int = 0
    missing: int = 0


class StoreAdmin:
    """Administers this user's cache and the shared store behind it."""

    def __init__(self, cache: Path, shared: SharedSettings | None, note: Note) -> None:
        self._cache = cache
        self._shared = shared
        self._note = note
        self._local = DiskStore(cache)

    @classmethod
    def of(cls, config: Path | None, *, url: str | None, mode: str | None, note: Note) -> StoreAdmin:
        """Use the given shared store, or that of the environment, or that of a build.toml. Raises BskernelError."""
        given = {name: value for name, value in (("shared", url), ("mode", mode)) if value is not None}
        if config is not None and url is None:
            loaded = load_config(config)
            section, folder = loaded.config.store, loaded.folder
            named = trusted_store(loaded, Trust(os.environ))
            users = named is not None and named.users
        else:
            users = True
            table = override_store({}, os.environ).get("store", {})
            section, folder = convert(table, StoreSection, "the environment"), Path.cwd()
        section = restrict_store(
            convert({**msgspec.to_builtins(section), **given}, StoreSection, "--mode"), os.environ
        )
        shared = shared_settings(section, folder)
        if shared is not None:
            shared = msgspec.structs.replace(shared, users=users)
        return cls(cache_folder(), shared, note)

    def push(self, what: Path | None) -> Pushed:
        """Copy results to the shared store. Raises ConfigError if it is read-only, EnvironmentLacking if it fails."""
        store = LayeredStore(self._local, self._require_writable(), self._cache, self._note)
        with hold_shared(self._cache):
            if what is None:
                keys = self._local.keys()
            else:
                keys = []
                origin = self._require_shared().origin
                self._recall_each(
                    what, lambda action: self._local.recall_key(_append_key(action, keys), origin=origin)
                )
            done = store.push_all(keys)
            store.close(wait=False)
        if done.failed:
            raise EnvironmentLacking(
                f"{done.failed} of {done.failed + done.pushed} results could not be pushed: {store.failure}"
            )
        return done

    def pull(self, what: Path) -> Pulled:
        """Copy results from the shared store to the cache. Raises ConfigError, EnvironmentLacking."""
        settings = msgspec.structs.replace(self._require_shared(), mode="read-only")
        store = LayeredStore(self._local, settings, self._cache, self._note)
        counts = Counter[str]()

        def recall(action: Action) -> ActionResult | None:
            here = self._local.recall(action, origin=settings.origin)
            found = here or store.recall(action)
            counts["present" if here else "pulled" if found else "missing"] += 1
            return found

        with hold_shared(self._cache):
            counts["missing"] += self._recall_each(what, recall)
            store.close(wait=False)
        if store.failure is not None:
            raise EnvironmentLacking(f"the shared store {settings.shown}: {store.failure}")
        return Pulled(**counts)

    def stat(self) -> Stat:
        """Count what both stores hold. Raises EnvironmentLacking if the shared store fails."""
        local = StoreSummary(where=str(self._cache), holds=count(LocalInventory(self._cache)))
        made = find_made(self._cache, self._note)
        if self._shared is None:
            return Stat(local=local, made=made)
        shared = StoreSummary(where=self._shared.shown, holds=self._on_shared(count))
        pending = len(UploadJournal(self._cache, self._shared.name).keys())
        return Stat(local=local, made=made, shared=shared, pending=pending)

    def check(self, *, shared: bool, repair: bool) -> Checked:
        """Read every blob and result; `repair` removes corrupt ones, incomplete results, and what is neither.

        Raises ConfigError, EnvironmentLacking.
        """

        def checked(inventory: Inventory) -> Checked:
            found = check(inventory)
            if repair:
                remove_found(inventory, found)
            return found

        if shared and repair:
            self._require_writable()
        return self._on(shared, checked, exclusive=repair)

    def collect_garbage(
        self, *, shared: bool, max_bytes: int | None, older_than_s: float | None, dry_run: bool = False
    ) -> Collected:
        """Remove old results and unneeded blobs; of the cache, with a limit, also environments and images.

        `max_bytes` is a limit for each of the three. Raises ConfigError; EnvironmentLacking, also while a build uses
        the cache.
        """

        def collected(inventory: Inventory) -> Collected:
            results = list(inventory.items("actions"))
            found = find_garbage(
                results,
                collect_needs(inventory, results),
                inventory.items("blobs"),
                inventory.items("incoming"),
                inventory.items("claims") if shared else (),
                now=time.time(),
                older_than_s=older_than_s,
                max_bytes=max_bytes,
                freed_at_once=not shared,  # the lock keeps builds away from the cache
                keep=frozenset() if shared else all_pending(self._cache),
            )
            if not dry_run:
                remove(inventory, found)
                if not shared:
                    discard(self._cache / KNOWN)
            made: tuple[MadeItem, ...] = ()
            if not shared and not (max_bytes is None and older_than_s is None):
                made = collect_made(self._cache, older_than_s, max_bytes, self._note, dry_run=dry_run)
            return Collected(**msgspec.structs.asdict(found), made=made)

        if shared and not dry_run:
            self._require_writable()
        return self._on(shared, collected, exclusive=not dry_run)

    def _on(self, shared: bool, function: Callable[[Inventory], T], *, exclusive: bool) -> T:
        if shared:
            return self._on_shared(function)
        with (hold_exclusive if exclusive else hold_shared)(self._cache):
            return function(LocalInventory(self._cache))

    def _on_shared(self, function: Callable[[Inventory], T]) -> T:
        settings = self._require_shared()
        try:
            with hold_shared(self._cache):
                return function(SharedInventory(RemoteStore(settings), self._local))
        except BskernelError:
            raise
        except Exception as error:  # libraries behind fsspec raise exceptions of any type
            why = settings.without_secrets(error)
            raise EnvironmentLacking(f"the shared store {settings.shown}: {why}") from error

    def _require_shared(self) -> SharedSettings:
        if self._shared is None:
            raise ConfigError(
                "no shared store is configured",
                hint="give --store URL, set BSKERNEL_STORE, or give a build.toml with [store] shared",
            )
        return self._shared

    def _require_writable(self) -> SharedSettings:
        settings = self._require_shared()
        if settings.mode == "read-only":
            raise ConfigError(
                f"the shared store {settings.shown} is read-only",
                hint="give --mode write-through; it does not override BSKERNEL_STORE_MODE=read-only",
            )
        return settings

    def _recall_each(self, what: Path, recall: Callable[[Action], ActionResult | None]) -> int:
        """Recall every action of a build.toml or of an output directory once; of a sweep, those of all points.

        Returns for how many steps the action is unknown.
        """
        if what.is_file():
            return _recall_of_config(what, recall)
        points = what / POINTS
        builds = sorted(points.iterdir()) if points.is_dir() else [what]
        actions = {action.key: action for build in builds for action in BuildDirectory(build).last_actions().values()}
        if not actions:
            raise ConfigError(
                f"{what}: not a build directory",
                hint="give a build.toml, or the output directory of a build or a sweep",
            )
        for action in actions.values():
            recall(action)
        return 0


def _recall_of_config(path: Path, recall: Callable[[Action], ActionResult | None]) -> int:
    workspace = Workspace.here()
    text = read_config(path)
    if "sweep" not in text.data:
        return recall_each(workspace, workspace.prepare_loaded(check_config(text)), recall)
    return recall_nodes(PreparedSweep(workspace, text, RangeRequest()).plan, recall, workspace.store)


def _append_key(action: Action, keys: list[str]) -> str:
    keys.append(action.key.sha256)
    return keys[-1]
