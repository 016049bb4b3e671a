"""Puts the parts together: configuration, recipes, store, runtime, and who carries out steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from bskernel_protocol import ArtifactKind, EntryDescription

from bskernel.cluster.request import ClusterRequest
from bskernel.config import Config
from bskernel.core.catalogue import Executors
from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.core.tool import ToolInstall
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.loader import check_versions, load_config, load_flow
from bskernel.flow.selection import RangeRequest
from bskernel.images import (
    Recipe,
    find_recipes,
    load_executors,
    locate_root,
    require_recipe,
    state_on,
)
from bskernel.images.environment import cache_folder
from bskernel.plan.backend_choice import Choice, PlanOf
from bskernel.plan.planner import Plan, make_plan
from bskernel.store import DiskStore, OpenStore, shared_settings
from bskernel.store.file_digests import FileDigests
from bskernel.workspace.backend import ResolvedBuild, resolve_backend
from bskernel.workspace.worker_pools import PoolHandle, cluster_pool, local_pool

if TYPE_CHECKING:
    import docker

    from bskernel.runtime.session import Starter
    from bskernel.runtime.warm.runtime import WarmRuntime
    from bskernel.tools import Identify


def kind_of(path: Path) -> ArtifactKind | None:
    """What there is at a path on this machine."""
    if not path.exists():
        return None
    return "tree" if path.is_dir() else "file"


class PreparedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build that can begin."""

    loaded: LoadedConfig
    plan: Plan
    output: Path
    backend: Choice | None = None  # None when the build names no backend
    without_points: bool = False  # its configuration has a [sweep], which is not what is built


class Workspace:
    """bskernel on this machine."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.cache = cache
        self.files = FileDigests(cache / "files.msgpack")
        self.store = DiskStore(cache, self.files)
        self.recipes = find_recipes(root, self.files)
        self.executors: Executors = load_executors(self.recipes)

    @classmethod
    def here(cls) -> Workspace:
        """With the recipes of this checkout and this user's cache."""
        return cls(locate_root(), cache_folder())

    def recipe(self, executor: ExecutorRef) -> Recipe:
        """Return the recipe of a plan's executor. Raises EnvironmentLacking if it is not in this workspace."""
        hint = "make the plan in this workspace"
        return require_recipe(self.recipes, executor, where=str(self.root), hint=hint)

    def entry(self, step: Step) -> EntryDescription | None:
        """What a step's executor says of its entry."""
        wanted = (step.executor.name, step.executor.version)
        info = next((info for info in self.executors.known if (info.name, info.version) == wanted), None)
        return info.entry(step.entry) if info is not None else None

    def prepare(
        self,
        path: Path,
        *,
        settings: Sequence[str] = (),
        range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> PreparedBuild:
        """Read a build.toml and plan it. Raises ConfigError, EnvironmentLacking."""
        loaded = load_config(path, settings)
        alone = msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, sweep=None))
        prepared = self.prepare_loaded(alone, range_request=range_request, output=output)
        return msgspec.structs.replace(prepared, without_points=loaded.config.sweep is not None)

    def prepare_loaded(
        self,
        loaded: LoadedConfig,
        *,
        range_request: RangeRequest = RangeRequest(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> PreparedBuild:
        """Plan a configuration that was read. Raises ConfigError, EnvironmentLacking."""
        settled = self.resolve_backend(loaded, self.planning(loaded, range_request))
        output = (output or loaded.output).resolve()
        return PreparedBuild(loaded=settled.loaded, plan=settled.plan, output=output, backend=settled.choice)

    def planning(self, loaded: LoadedConfig, range_request: RangeRequest, identify: Identify | None = None) -> PlanOf:
        """What makes the plan, with its steps' tools, of that configuration as a backend changes it."""

        def plan_of(config: Config) -> Plan:
            flow = load_flow(config, loaded.path)
            check_versions(flow, config, loaded.path)
            plan = make_plan(
                config,
                flow.step,
                self.executors,
                path=loaded.path,
                model=loaded.model,
                kind_of=kind_of,
                range_request=range_request,
            )
            if not config.tools and not any(step.needs or step.tool_versions for step in plan.steps):
                return plan
            from bskernel.tools import equip

            steps = equip(plan.steps, config.tools, loaded.path, identify or self.identify)
            return msgspec.structs.replace(plan, steps=steps)

        return plan_of

    def resolve_backend(
        self, loaded: LoadedConfig, plan_of: PlanOf, is_built: Callable[[Recipe], bool] | None = None
    ) -> ResolvedBuild:
        """The configuration with its backend, and its plan. Raises ConfigError, EnvironmentLacking."""
        return resolve_backend(loaded, plan_of, self.recipes, self.cache, is_built or self.is_built)

    def identify(self, tool: str, path: Path, where: str) -> ToolInstall:
        """The install of a tool in a folder, which the key `where` names. Raises ConfigError, EnvironmentLacking."""
        from bskernel.tools import identify

        return identify(tool, path, self.cache, where)

    def is_built(self, recipe: Recipe) -> bool:
        """Is there an image of exactly this recipe in an engine?"""
        client = self.engine()
        return client is not None and state_on(recipe, self.cache, client).image == "built"

    def open_store(self, loaded: LoadedConfig, note: Callable[[str], None], *, read_only: bool = False) -> OpenStore:
        """The store of a configuration's builds: this cache, and behind it the shared store that [store] names.

        `note` hears once that it cannot be used; `read_only`, nothing is pushed there. Raises EnvironmentLacking,
        ConfigError.
        """
        shared = shared_settings(loaded.config.store, loaded.folder)
        if shared is not None and read_only:
            shared = msgspec.structs.replace(shared, mode="read-only")
        return OpenStore(self.cache, shared, note, self.store)

    def starter(self, name: str, report: Callable[[str], None]) -> Starter:
        """What starts executors in the runtime of that name. Raises ConfigError, EnvironmentLacking."""
        from bskernel.runtime.selection import choose_starter

        return choose_starter(name, self.cache, self.recipe, report)

    def runtime(self, name: str, report: Callable[[str], None], keep_s: float | None = None) -> WarmRuntime:
        """The runtime of that name, which uses kept sessions and, with `keep_s`, keeps what it starts.

        What dead owners left is removed. Raises ConfigError, EnvironmentLacking, also when it is first used.
        """
        from bskernel.runtime.warm.runtime import WarmRuntime

        runtime = WarmRuntime(self.cache, self.root, name, lambda kind: self.starter(kind, report), report, keep_s)
        runtime.remove_orphans()
        return runtime

    def pool(
        self,
        loaded: LoadedConfig,
        store: Store,
        *,
        runtime: str,
        note: Callable[[str], None],
        share: bool,
        keep_s: float | None = None,
        cluster: str | None = None,
    ) -> contextlib.AbstractContextManager[PoolHandle]:
        """Who carries out steps of that configuration: this machine, or the cluster of that name.

        `store` is where the build looks for what they made. With `share`, what others make meanwhile is recalled.
        Sessions on this machine are kept for `keep_s`. Raises ConfigError, EnvironmentLacking.
        """
        if cluster is None:
            return local_pool(loaded.config, store, lambda: self.runtime(runtime, note, keep_s), share=share)
        wanted = ClusterRequest(
            config=loaded.config,
            shared=shared_settings(loaded.config.store, loaded.folder),
            root=self.root,
            cache=self.cache,
            runtime=runtime,
            share=share,
        )
        return cluster_pool(cluster, wanted, store, note)

    def engine(self) -> docker.APIClient | None:
        """The Docker engine; None where none answers."""
        from bskernel.images.engine import connect

        try:
            return connect()
        except EnvironmentLacking:
            return None


__all__ = ["PreparedBuild", "Workspace"]
