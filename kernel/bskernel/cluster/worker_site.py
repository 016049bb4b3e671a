"""A worker's state for the steps of one site: its stores, and sessions that live as long as the worker."""

from __future__ import annotations

import itertools
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from bskernel_protocol import Event, Progress

from bskernel.cluster.messages import Site, StepRequest
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.execution.action_runner import ActionRunner, CancelToken, Completion
from bskernel.execution.session_pool import SessionPool
from bskernel.images import NamedFolder, Recipe, locate_root, named_folders, require_recipe, search_recipes
from bskernel.images.environment import cache_folder
from bskernel.runtime.orphans import remove_orphans
from bskernel.runtime.selection import choose_starter
from bskernel.runtime.session import FramedRuntime
from bskernel.store import OpenStore
from bskernel.store.layered import LayeredStore
from bskernel.tools import identify


class WorkerSite:
    """Runs the steps of one site, each in the calling thread."""

    def __init__(self, site: Site) -> None:
        """Raises EnvironmentLacking, ConfigError when this machine lacks something that the site needs."""
        self._requested_runtime = site.runtime
        self._root = _root(site)
        self._cache = _cache(site)
        self._named = _named(site)
        self._recipes = search_recipes(self._root, self._named)
        self._sessions = SessionPool(self._runtime)
        self._cache.mkdir(parents=True, exist_ok=True)
        self._opened = OpenStore(self._cache, site.shared, lambda text: self._report(text))
        self._handed_over = site.handed_over
        self._runner = ActionRunner(self._opened.store, self._sessions)
        self._opened.__enter__()
        self._preparing = threading.Lock()
        self._report: Callable[[str], None] = lambda _: None  # the step that prepares its executor now
        self._count = itertools.count()
        self.busy = 0  # running steps, counted by SessionsPlugin

    @property
    def runtime_name(self) -> str:
        """The runtime of the steps; "none" until one has run."""
        return self._sessions.runtime_name

    def run(self, request: StepRequest, on_event: Callable[[Event], None], cancel_token: CancelToken) -> Completion:
        """Run a step; raises EnvironmentLacking if its result cannot be uploaded.

        Where this machine lacks what the step needs, that is its failure.
        """
        done = self._runner.run(
            request.step,
            request.action,
            request.inputs,
            on_event,
            share=request.share,
            cancel_token=cancel_token,
            # Several builds share a session, and their steps may have the same name.
            folder=f"{request.step.label}-{next(self._count)}",
            prepare=lambda: self._prepare(request, on_event),
        )
        self._runner.recycle(done)
        if done.outcome.result is not None:
            self._share_result(request, recalled=done.recalled)
        return msgspec.structs.replace(done, outcome=msgspec.structs.replace(done.outcome, used=None))

    def _prepare(self, request: StepRequest, on_event: Callable[[Event], None]) -> None:
        step = request.step
        self._fetch_inputs(request)
        for tool in step.executor.tools:
            self._check_tool(tool.tool, tool.root, tool.identity)
        with self._preparing:
            self._report = lambda text: on_event(Progress(directory=step.label, text=text))
            self._check_recipe(step.executor)
            self._sessions.expect([step.executor])
            self._report = lambda _: None

    def _fetch_inputs(self, request: StepRequest) -> None:
        store = self._shared
        if store is None or store.fetch(request.inputs.values()) or store.unreachable is None:
            return  # if an input is damaged or in no store, the step itself fails
        raise EnvironmentLacking(
            f"{platform.node()}: the inputs of step {request.step.name} cannot be fetched: {store.unreachable}",
            hint="check that the shared store can be read from there",
        )

    @property
    def _shared(self) -> LayeredStore | None:
        """The store that passes results to the build; None when the build uses this machine's cache."""
        store = self._opened.store
        return store if self._handed_over and isinstance(store, LayeredStore) else None

    def _share_result(self, request: StepRequest, *, recalled: bool) -> None:
        """Push a result that write-through has not pushed, so that the build can fetch it."""
        store = self._shared
        if store is None or (not recalled and store.failure is None):
            return
        if not store.push(request.action.key.sha256, again=request.damaged):
            raise EnvironmentLacking(
                f"{platform.node()}: the result of step {request.step.name} cannot be uploaded: "
                f"{store.failure or 'it is missing from the cache'}",
                hint="check that the shared store can be written from there; the result stays in the worker's cache",
            )

    def _check_tool(self, tool: str, root: Path, identity: str) -> None:
        install = identify(tool, root, self._cache, f"{platform.node()}: {tool}")
        if install.identity != identity:
            raise EnvironmentLacking(
                f"{platform.node()}: {root} is {install.identity}, but on the build's machine it is {identity}",
                hint="install the same version at the same path on all machines",
            )

    def _check_recipe(self, executor: ExecutorRef) -> None:
        try:
            self._recipe(executor)
        except EnvironmentLacking:
            # The checkout may have changed since they were read.
            self._recipes = search_recipes(self._root, self._named)
            self._recipe(executor)

    def _recipe(self, executor: ExecutorRef) -> Recipe:
        hint = (
            "check out the same commit on that machine, or use one checkout on a shared file system; recipes of your"
            " own must be there, too: at the same path, installed, or in BSKERNEL_RECIPES of the worker"
        )
        return require_recipe(self._recipes, executor, where=f"{platform.node()}: {self._root}", hint=hint)

    def _runtime(self) -> FramedRuntime:
        starter = choose_starter(self._requested_runtime, self._cache, self._recipe, lambda text: self._report(text))
        remove_orphans(self._cache)
        return FramedRuntime(self._cache, starter)

    def close(self) -> None:
        """Interrupt every step and end every process and container. May be called twice."""
        self._runner.interrupt()
        self._sessions.close()
        self._opened.leave_pending()
        self._opened.__exit__(None, None, None)


def _root(site: Site) -> Path:
    """The checkout: BSKERNEL_ROOT of this process, or the build's path if it exists here, or this package's."""
    if "BSKERNEL_ROOT" in os.environ or not (Path(site.root) / "images").is_dir():
        return locate_root()
    return Path(site.root)


def _named(site: Site) -> tuple[NamedFolder, ...]:
    """The build's further folders of recipes, as far as they exist here, and those of BSKERNEL_RECIPES."""
    folders = tuple(Path(folder) for folder in site.recipes)
    here = tuple(NamedFolder(path=folder, origin="the build") for folder in folders if folder.is_dir())
    return here + tuple(own for own in named_folders() if own.path not in folders)


def _cache(site: Site) -> Path:
    """The cache: the site's, or BSKERNEL_CACHE of this process, or a folder for this machine.

    Several machines often share a home folder, and each would take the others' sessions for orphans.
    """
    if site.cache is not None:
        return Path(os.path.expandvars(site.cache)).expanduser()
    return cache_folder() if "BSKERNEL_CACHE" in os.environ else cache_folder() / "workers" / platform.node()
