"""A worker's place for one site's steps: its stores, and sessions that are kept as long as the worker lives."""

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
from bskernel.images import Recipe, find_recipes, locate_root, require_recipe
from bskernel.images.environment import cache_folder
from bskernel.runtime.selection import choose_starter
from bskernel.runtime.session import FramedRuntime
from bskernel.store import OpenStore
from bskernel.store.layered import LayeredStore
from bskernel.tools import identify


class WorkerSite:
    """Carries out the steps of one site, each in the thread that asks."""

    def __init__(self, site: Site) -> None:
        """Raises EnvironmentLacking, ConfigError: this machine lacks what the site needs."""
        self._runtime_wanted = site.runtime
        self._root = _root(site)
        self._cache = _cache(site)
        self._recipes = find_recipes(self._root)
        self._sessions = SessionPool(self._runtime)
        self._cache.mkdir(parents=True, exist_ok=True)
        self._opened = OpenStore(self._cache, site.shared, lambda text: self._tell(text))
        self._handed_over = site.handed_over
        self._runner = ActionRunner(self._opened.store, self._sessions)
        self._opened.__enter__()
        self._expecting = threading.Lock()
        self._tell: Callable[[str], None] = lambda _: None  # whoever has something made now
        self._count = itertools.count()
        self.busy = 0  # steps that run; whoever holds the benches counts

    @property
    def runtime_name(self) -> str:
        """Where steps run; "none" as long as none did."""
        return self._sessions.runtime_name

    def run(self, order: StepRequest, say: Callable[[Event], None], cancel_token: CancelToken) -> Completion:
        """Carry out a step. Raises EnvironmentLacking, ConfigError for what only this machine lacks."""
        known = self._runner.recall(order.step, order.action) if order.share else None
        done = known or self._made(order, say, cancel_token)
        if done.outcome.result is not None:
            self._hand_over(order, recalled=done.recalled)
        return done

    def _made(self, order: StepRequest, say: Callable[[Event], None], cancel_token: CancelToken) -> Completion:
        step = order.step
        self._fetch_inputs(order)
        for tool in step.executor.tools:
            self._check_tool(tool.tool, tool.root, tool.identity)
        with self._expecting:
            self._tell = lambda text: say(Progress(directory=step.label, text=text))
            self._check_recipe(step.executor)
            self._sessions.expect([step.executor])
            self._tell = lambda _: None
        # Steps of several builds, which may have one name, run in one session.
        folder = f"{step.label}-{next(self._count)}"
        done = self._runner.run(
            step, order.action, order.inputs, say, share=order.share, cancel_token=cancel_token, folder=folder
        )
        self._runner.recycle(done)
        return msgspec.structs.replace(done, outcome=msgspec.structs.replace(done.outcome, used=None))

    def _fetch_inputs(self, order: StepRequest) -> None:
        store = self._shared
        if store is None or store.bring(order.inputs.values()) or store.unreachable is None:
            return  # of what is damaged, or in no store, the step fails
        raise EnvironmentLacking(
            f"{platform.node()}: the inputs of step {order.step.name} cannot be fetched: {store.unreachable}",
            hint="see whether the shared store can be read from there",
        )

    @property
    def _shared(self) -> LayeredStore | None:
        """The store by which results are handed over; None where the build has this machine's cache."""
        store = self._opened.store
        return store if self._handed_over and isinstance(store, LayeredStore) else None

    def _hand_over(self, order: StepRequest, *, recalled: bool) -> None:
        """Have the result where the build finds it; what was just made was written through, as far as that went."""
        store = self._shared
        if store is None or (not recalled and store.failure is None):
            return
        if not store.push(order.action.key.sha256, again=order.damaged):
            raise EnvironmentLacking(
                f"{platform.node()}: the result of step {order.step.name} cannot be handed over: "
                f"{store.failure or 'it is gone from the cache'}",
                hint="see whether the shared store can be written from there; the worker's cache keeps the result",
            )

    def _check_tool(self, tool: str, root: Path, identity: str) -> None:
        here = identify(tool, root, self._cache, f"{platform.node()}: {tool}")
        if here.identity != identity:
            raise EnvironmentLacking(
                f"{platform.node()}: {root} is {here.identity}, and on the machine of the build {identity}",
                hint="have the same install at the same path on all machines",
            )

    def _check_recipe(self, executor: ExecutorRef) -> None:
        try:
            self._recipe(executor)
        except EnvironmentLacking:
            self._recipes = find_recipes(self._root)  # the checkout may have changed since they were read
            self._recipe(executor)

    def _recipe(self, executor: ExecutorRef) -> Recipe:
        hint = "check out the same commit on that machine, or use one checkout on a shared file system"
        return require_recipe(self._recipes, executor, where=f"{platform.node()}: {self._root}", hint=hint)

    def _runtime(self) -> FramedRuntime:
        starter = choose_starter(self._runtime_wanted, self._cache, self._recipe, lambda text: self._tell(text))
        runtime = FramedRuntime(self._cache, starter)
        runtime.remove_orphans()
        return runtime

    def close(self) -> None:
        """Let every step end, and end every process and container; safe to call twice."""
        self._runner.interrupt()
        self._sessions.close()
        self._opened.leave_pending()
        self._opened.__exit__(None, None, None)


def _root(site: Site) -> Path:
    """BSKERNEL_ROOT of this process, or where the build has the checkout, or where this package lies."""
    if "BSKERNEL_ROOT" in os.environ or not (Path(site.root) / "images").is_dir():
        return locate_root()
    return Path(site.root)


def _cache(site: Site) -> Path:
    """The site's, or BSKERNEL_CACHE of this process, or one of this machine's own.

    A home folder is often that of many machines, whose sessions would take one another's for abandoned.
    """
    if site.cache is not None:
        return Path(os.path.expandvars(site.cache)).expanduser()
    return cache_folder() if "BSKERNEL_CACHE" in os.environ else cache_folder() / "workers" / platform.node()
