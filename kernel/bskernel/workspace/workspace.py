"""The composition root: connects configuration, recipes, store, runtimes and worker pools on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel.config import Config
from bskernel.core.catalogue import Executors
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.tool import ToolInstall
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.loader import check_versions, load_config, load_flow
from bskernel.flow.selection import RangeRequest
from bskernel.flow.snapshot import with_range
from bskernel.images import (
    NamedFolder,
    Recipe,
    load_executors,
    locate_root,
    named_folders,
    require_recipe,
    search_recipes,
)
from bskernel.images.environment import cache_folder
from bskernel.plan.backend_choice import Choice, PlanOf
from bskernel.plan.build_flow import KnownFlows
from bskernel.plan.planner import Plan, make_plan
from bskernel.store import DiskStore, OpenStore, SharedSettings, shared_settings
from bskernel.store.file_digests import FILES, FileDigests
from bskernel.workspace.backend import ResolvedBuild, resolve_backend
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.output_place import OutputPlace, place_output
from bskernel.workspace.project_recipes import project_folders
from bskernel.workspace.trust import Trust, trusted_store
from bskernel.workspace.trust_request import cluster_requests, input_requests
from bskernel.workspace.user_files import FilesOnDisk
from bskernel.workspace.worker_pools import PoolHandle, cluster_pool, local_pool

if TYPE_CHECKING:
    import docker

    from bskernel.runtime.session import Starter
    from bskernel.runtime.warm.runtime import WarmRuntime
    from bskernel.tools import Identify


class SharedPlanning(msgspec.Struct, frozen=True, kw_only=True):
    """What plans of one build.toml share: tools, files and flows, each found once."""

    identify: Identify
    files: FilesOnDisk
    flows: KnownFlows


class PreparedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build that is ready to run."""

    loaded: LoadedConfig
    plan: Plan
    output: Path
    below: Path | None = None  # the project's folder, if the project chose an output folder in it
    backend: Choice | None = None  # None when the build names no backend
    given: tuple[str, ...] = ()  # the options of the command line that shaped it
    without_points: bool = False  # its configuration has a [sweep] table, which this build ignores


class Workspace:
    """The executors, the cache and the runtimes of this machine.

    `root` is the folder with bskernel's own recipes, `cache` the folder of the store and environments. `recipes` is
    the search path's: those of the project that is prepared come first.
    """

    def __init__(
        self, root: Path, cache: Path, trust: Trust | None = None, named: tuple[NamedFolder, ...] = ()
    ) -> None:
        """`trust` is what projects may do, by default as the user said; `named` are further folders of recipes."""
        self.root = root
        self.cache = cache
        self.files = FileDigests(cache / FILES)
        self.store = DiskStore(cache, self.files)
        self.trust = trust or Trust(os.environ)
        self.engine_facts: dict[str, Any] | None = None  # facts about the engine that runs this workspace's executors
        self._started = False
        self._named = named
        self._search(named)

    @classmethod
    def here(cls) -> Workspace:
        """Use the recipes of this machine's search path, and the cache of this user (or $BSKERNEL_CACHE)."""
        return cls(locate_root(), cache_folder(), named=named_folders())

    def _search(self, named: tuple[NamedFolder, ...]) -> None:
        self.folders = named
        self.recipes = search_recipes(self.root, named, self.files)
        self.executors: Executors = load_executors(self.recipes)
        self._infos = {(info.name, info.version): info for info in reversed(self.executors.known)}

    def use_recipes_of(self, loaded: LoadedConfig) -> None:
        """Know the executors of a configuration's project, too, and no longer those of the project before.

        Raises NotTrusted, ConfigError.
        """
        folders = (*project_folders(loaded, self.root, self.files, self.trust), *self._named)
        if folders != self.folders:
            self._search(folders)

    def recipe(self, executor: ExecutorRef) -> Recipe:
        """Return the recipe of a plan's executor. Raises EnvironmentLacking if it is not in this workspace."""
        hint = "make the plan in this workspace"
        return require_recipe(self.recipes, executor, where=str(self.root), hint=hint)

    def entry(self, step: Step) -> EntryDescription | None:
        """The catalogue's description of the step's entry; None if its executor has none."""
        info = self._infos.get((step.executor.name, step.executor.version))
        return info.entry(step.entry) if info is not None else None

    def prepare(
        self,
        path: Path,
        *,
        settings: Sequence[str] = (),
        range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> PreparedBuild:
        """Read a build.toml, apply `settings` (KEY=VALUE) and plan it. Runs nothing.

        Raises ConfigError, EnvironmentLacking.
        """
        loaded = load_config(path, settings)
        alone = msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, sweep=None))
        prepared = self.prepare_loaded(alone, range_request=range_request, output=output)
        given = [*range_request.options(), *(part for setting in settings for part in ("--set", setting))]
        if output is not None:
            given += ["--output", str(output)]
        return msgspec.structs.replace(prepared, given=tuple(given), without_points=loaded.config.sweep is not None)

    def prepare_loaded(
        self,
        loaded: LoadedConfig,
        *,
        range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> PreparedBuild:
        """Plan a configuration that has been read. Raises ConfigError, EnvironmentLacking."""
        self.use_recipes_of(loaded)
        place = self.place_output(loaded, output)
        resolved = self.resolve_backend(loaded, self.planning(loaded, range_request))
        return PreparedBuild(
            loaded=with_range(resolved.loaded, range_request),
            plan=resolved.plan,
            output=place.path,
            below=place.below,
            backend=resolved.choice,
        )

    def planning(
        self, loaded: LoadedConfig, range_request: RangeRequest, shared: SharedPlanning | None = None
    ) -> PlanOf:
        """Return a function that plans the configuration as changed by a backend, with the tools of its steps."""
        shared = shared or self.shared_planning(loaded)

        def plan_of(config: Config) -> Plan:
            flow = load_flow(config, loaded.path, loaded.place)
            check_versions(flow, config, loaded.path)
            plan = make_plan(
                config,
                flow.step,
                self.executors,
                path=loaded.path,
                place=loaded.folder,
                model=loaded.model,
                files=shared.files,
                flows=shared.flows,
                range_request=range_request,
            )
            self._check_inputs(loaded, plan)
            if not config.tools and not any(step.needs or step.tool_versions for step in plan.steps):
                return plan
            return self._equipped(loaded, config, plan, shared.identify)

        return plan_of

    def shared_planning(self, loaded: LoadedConfig) -> SharedPlanning:
        """What plans of one build.toml share, from now on: each file is looked at once."""
        return SharedPlanning(
            identify=functools.lru_cache(maxsize=None)(self.identify),
            files=FilesOnDisk(self.files),
            flows=KnownFlows(self.executors, loaded.path),
        )

    def place_output(self, loaded: LoadedConfig, output: Path | None, *, suffix: str = "") -> OutputPlace:
        """The output folder: `output`, or the configuration's with a suffix. Raises NotTrusted, ConfigError."""
        return place_output(loaded, output, self.trust, suffix=suffix)

    def shared_store(self, loaded: LoadedConfig) -> SharedSettings | None:
        """The shared store of a configuration; None without one.

        Raises NotTrusted for one that the project names; EnvironmentLacking, ConfigError.
        """
        return trusted_store(loaded, self.trust)

    def _check_inputs(self, loaded: LoadedConfig, plan: Plan) -> None:
        """Raise NotTrusted if files outside the project could be sent to a store that the project names."""
        if loaded.config.store.shared and loaded.config.store.mode != "read-only":
            shared = shared_settings(loaded.config.store, loaded.folder)
            if shared is not None and not self.trust.lists_store(shared):
                self.trust.require(loaded.path, input_requests(loaded, plan.steps, shared))

    def _equipped(self, loaded: LoadedConfig, config: Config, plan: Plan, identify: Identify) -> Plan:
        """The plan with the tools of its steps. Raises NotTrusted before a tool of the project's is run."""
        from bskernel.tools import equip
        from bskernel.workspace.tool_trust import tool_key, tool_request

        def identify_trusted(tool: str, path: Path, where: str) -> ToolInstall:
            key = where.removeprefix(f"{loaded.path}: ")
            if not loaded.is_given(*tool_key(key)):
                request = tool_request(tool, path, key, loaded.folder, os.environ)
                self.trust.require(loaded.path, [request] if request is not None else [])
            return identify(tool, path, where)

        steps = equip(plan.steps, config.tools, loaded.path, identify_trusted)
        return msgspec.structs.replace(plan, steps=steps)

    def resolve_backend(
        self, loaded: LoadedConfig, plan_of: PlanOf, is_built: Callable[[Recipe], bool] | None = None
    ) -> ResolvedBuild:
        """Choose the backend and plan with it. Raises ConfigError, EnvironmentLacking."""
        return resolve_backend(loaded, plan_of, self.recipes, self.cache, is_built or self.is_built)

    def identify(self, tool: str, path: Path, where: str) -> ToolInstall:
        """Identify the tool in a folder, which the key `where` names. Raises ConfigError, EnvironmentLacking."""
        from bskernel.tools import identify

        return identify(tool, path, self.cache, where)

    def is_built(self, recipe: Recipe) -> bool:
        """True if the Docker engine has an image of exactly this recipe."""
        client = self.engine()
        if client is None:
            return False
        from bskernel.images.status import state_on

        return state_on(recipe, self.cache, client).image == "built"

    def open_store(self, loaded: LoadedConfig, note: Callable[[str], None], *, read_only: bool = False) -> OpenStore:
        """Open the store of a configuration's builds: the cache, and behind it the shared store of [store].

        `note` is called once if the shared store cannot be used. With `read_only` nothing is pushed to it. Raises
        EnvironmentLacking, ConfigError, NotTrusted.
        """
        shared = self.shared_store(loaded)
        if shared is not None and read_only:
            shared = msgspec.structs.replace(shared, mode="read-only")
        return OpenStore(self.cache, shared, note, self.store)

    def starter(self, name: str, report: Callable[[str], None]) -> Starter:
        """Return the starter of the runtime of that name. Raises ConfigError, EnvironmentLacking."""
        from bskernel.runtime.selection import choose_starter

        starter = choose_starter(name, self.cache, self.recipe, report)
        self._started = True
        if starter.engine_facts is not None:
            self._see_engine(starter.engine_facts)
        return starter

    def starts_executors(self) -> bool:
        """True once an executor of this workspace's own starts: warm sessions have started."""
        return self._started

    def _see_engine(self, facts: dict[str, Any]) -> None:
        self.engine_facts = facts

    def runtime(self, name: str, report: Callable[[str], None], keep_s: float | None = None) -> WarmRuntime:
        """Return the runtime of that name. It uses warm sessions; with `keep_s`, those it starts stay warm that long.

        Removes what dead processes have left behind. Raises ConfigError, EnvironmentLacking, here or on first use.
        """
        from bskernel.runtime.warm.runtime import WarmRuntime

        recipes = tuple(folder.path for folder in self.folders)
        runtime = WarmRuntime(
            self.cache,
            self.root,
            name,
            lambda kind: self.starter(kind, report),
            report,
            keep_s,
            recipes,
            self._see_engine,
        )
        runtime.remove_orphans()
        return runtime

    def pool(
        self,
        loaded: LoadedConfig,
        store: Store,
        options: BuildOptions,
        *,
        note: Callable[[str], None],
    ) -> contextlib.AbstractContextManager[PoolHandle]:
        """Open the worker pool for a configuration's steps: on this machine, or on the cluster of the options.

        The pool writes results to `store`, and recalls what other builds add to it unless `options.fresh` is set.
        Raises ConfigError, EnvironmentLacking.
        """
        if options.cluster is None:
            return local_pool(
                loaded.config,
                store,
                lambda: self.runtime(options.runtime, note, options.keep_s),
                share=not options.fresh,
            )
        from bskernel.cluster.request import ClusterRequest

        if not options.cluster.startswith("local:"):
            self.trust.require(loaded.path, cluster_requests(loaded))
        request = ClusterRequest(
            config=loaded.config,
            shared=self.shared_store(loaded),
            root=self.root,
            recipes=tuple(folder.path for folder in self.folders),
            cache=self.cache,
            runtime=options.runtime,
            share=not options.fresh,
        )
        return cluster_pool(options.cluster, request, store, note)

    def engine(self) -> docker.APIClient | None:
        """A client of the Docker engine; None if no engine answers."""
        from bskernel.images.engine import connect

        try:
            return connect()
        except EnvironmentLacking:
            return None


__all__ = ["PreparedBuild", "Workspace"]
