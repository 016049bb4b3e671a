"""Puts the parts together: configuration, recipes, store, runtime, build directory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from bskernel_protocol import EntryDescription, StepManifest

from bskernel.action import Action, ActionResult, action_of, differences
from bskernel.backends import Choice, PlanOf, Settled, settle
from bskernel.build_directory import BuildDirectory
from bskernel.building import carry_out_plan
from bskernel.carry_out import lay_out
from bskernel.catalogues import Executors
from bskernel.cluster.wanted import Wanted
from bskernel.config import Config
from bskernel.errors import ConfigError, EnvironmentLacking
from bskernel.file_digests import FileDigests
from bskernel.gathering import find_inputs
from bskernel.hiring import Hired, crew_here, crew_on_cluster
from bskernel.images import (
    Recipe,
    RecipeState,
    check,
    choose_recipes,
    find_recipes,
    load_executors,
    locate_root,
    state_on,
)
from bskernel.images.environment import cache_folder
from bskernel.loading import LoadedConfig, check_versions, load_config, load_flow
from bskernel.noting import Noting
from bskernel.outcomes import Observer
from bskernel.plan import Plan, make_plan
from bskernel.ports import Store
from bskernel.recorded import recorded_config
from bskernel.result import BuildResult, metrics_of
from bskernel.selection import Wish
from bskernel.step import ExecutorRef, FromStep, Step
from bskernel.store import DiskStore, OpenStore, shared_settings
from bskernel.tool import ToolInstall

if TYPE_CHECKING:
    import docker

    from bskernel.installs import Identify
    from bskernel.runtime.kept.warm import WarmRuntime
    from bskernel.runtime.session import Starter

BUILD_LOG = "log.jsonl"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A build that can begin."""

    loaded: LoadedConfig
    plan: Plan
    output: Path
    backend: Choice | None = None  # None when the build names no backend
    without_points: bool = False  # its configuration has a [sweep], which is not what is built


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of `bskernel plan`: will it be recalled, and if not, why."""

    step: Step
    cached: bool
    reasons: tuple[str, ...] = ()


class Application:
    """bskernel on this machine."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.cache = cache
        self.files = FileDigests(cache / "files.msgpack")
        self.store = DiskStore(cache, self.files)
        self.recipes = find_recipes(root, self.files)
        self.executors: Executors = load_executors(self.recipes)

    @classmethod
    def here(cls) -> Application:
        """With the recipes of this checkout and this user's cache."""
        return cls(locate_root(), cache_folder())

    def recipe(self, executor: ExecutorRef) -> Recipe:
        """The recipe behind a plan's executor."""
        return next(recipe for recipe in self.recipes if recipe.name == str(executor))

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
        wish: Wish = Wish(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> Prepared:
        """Read a build.toml and plan it. Raises ConfigError, EnvironmentLacking."""
        loaded = load_config(path, settings)
        alone = msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, sweep=None))
        prepared = self.prepare_loaded(alone, wish=wish, output=output)
        return msgspec.structs.replace(prepared, without_points=loaded.config.sweep is not None)

    def prepare_loaded(
        self,
        loaded: LoadedConfig,
        *,
        wish: Wish = Wish(),  # noqa: B008 - frozen
        output: Path | None = None,
    ) -> Prepared:
        """Plan a configuration that was read. Raises ConfigError, EnvironmentLacking."""
        settled = self.settle(loaded, self.planning(loaded, wish))
        output = (output or loaded.output).resolve()
        return Prepared(loaded=settled.loaded, plan=settled.plan, output=output, backend=settled.choice)

    def planning(self, loaded: LoadedConfig, wish: Wish, identify: Identify | None = None) -> PlanOf:
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
                wish=wish,
            )
            if not config.tools and not any(step.needs or step.tool_versions for step in plan.steps):
                return plan
            from bskernel.installs import equip

            steps = equip(plan.steps, config.tools, loaded.path, identify or self.identify)
            return msgspec.structs.replace(plan, steps=steps)

        return plan_of

    def settle(
        self, loaded: LoadedConfig, plan_of: PlanOf, is_built: Callable[[Recipe], bool] | None = None
    ) -> Settled:
        """The configuration with its backend, and its plan. Raises ConfigError, EnvironmentLacking."""
        return settle(loaded, plan_of, self.recipes, self.cache, is_built or self.is_built)

    def identify(self, tool: str, path: Path, where: str) -> ToolInstall:
        """The install of a tool in a folder, which the key `where` names. Raises ConfigError, EnvironmentLacking."""
        from bskernel.installs import identify

        return identify(tool, path, self.cache, where)

    def is_built(self, recipe: Recipe) -> bool:
        """Is there an image of exactly this recipe in an engine?"""
        client = self._engine()
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

    def explain(self, prepared: Prepared, note: Callable[[str], None] = lambda _: None) -> tuple[PlannedStep, ...]:
        """For every step: cached, here or in the shared store, or not, and why not. `note` as in `open_store`."""
        with self.open_store(prepared.loaded, note, read_only=True) as opened:
            planned = self._explained(prepared, opened.store)
        self.files.save()
        return planned

    def _explained(self, prepared: Prepared, store: Store) -> tuple[PlannedStep, ...]:
        before = BuildDirectory(prepared.output).last_actions()
        made: dict[str, Any] = {}
        planned = []
        for step in prepared.plan.steps:
            waits = [
                source.step
                for source in step.inputs.values()
                if isinstance(source, FromStep) and source.step not in made
            ]
            if waits:
                planned.append(PlannedStep(step=step, cached=False, reasons=(f"step {waits[0]} runs before it",)))
                continue
            action = action_of(step, find_inputs(step, made, store), prepared.loaded.config.build.salt)
            known = store.peek(action)
            if known is not None:
                made[step.name] = known
                planned.append(PlannedStep(step=step, cached=True))
                continue
            last = before.get(step.name)
            changed = differences(last, action) if last is not None else ("never built in this build directory",)
            planned.append(
                PlannedStep(
                    step=step,
                    cached=False,
                    reasons=changed or ("its result is gone from the cache, or never was",),
                )
            )
        return tuple(planned)

    def recall_each(self, prepared: Prepared, recall: Callable[[Action], ActionResult | None]) -> int:
        """Recall the steps one after another; of how many it is not known what they are, as others are missing."""
        made: dict[str, ActionResult] = {}
        unknown = 0
        for step in prepared.plan.steps:
            sources = [source.step for source in step.inputs.values() if isinstance(source, FromStep)]
            if not made.keys() >= set(sources):
                unknown += 1
                continue
            result = recall(action_of(step, find_inputs(step, made, self.store), prepared.loaded.config.build.salt))
            if result is not None:
                made[step.name] = result
        return unknown

    def starter(self, name: str, report: Callable[[str], None]) -> Starter:
        """What starts executors in the runtime of that name. Raises ConfigError, EnvironmentLacking."""
        from bskernel.runtime.choosing import choose_starter

        return choose_starter(name, self.cache, self.recipe, report)

    def runtime(self, name: str, report: Callable[[str], None], keep_s: float | None = None) -> WarmRuntime:
        """The runtime of that name, which uses kept sessions and, with `keep_s`, keeps what it starts.

        What dead owners left is removed. Raises ConfigError, EnvironmentLacking, also when it is first used.
        """
        from bskernel.runtime.kept.warm import WarmRuntime

        runtime = WarmRuntime(self.cache, self.root, name, lambda kind: self.starter(kind, report), report, keep_s)
        runtime.sweep()
        return runtime

    def crew(
        self,
        loaded: LoadedConfig,
        store: Store,
        *,
        runtime: str,
        note: Callable[[str], None],
        share: bool,
        keep_s: float | None = None,
        cluster: str | None = None,
    ) -> contextlib.AbstractContextManager[Hired]:
        """Who carries out steps of that configuration: this machine, or the cluster of that name.

        `store` is where the build looks for what they made. With `share`, what others make meanwhile is recalled.
        Sessions on this machine are kept for `keep_s`. Raises ConfigError, EnvironmentLacking.
        """
        if cluster is None:
            return crew_here(loaded.config, store, lambda: self.runtime(runtime, note, keep_s), share=share)
        wanted = Wanted(
            config=loaded.config,
            shared=shared_settings(loaded.config.store, loaded.folder),
            root=self.root,
            cache=self.cache,
            runtime=runtime,
            share=share,
        )
        return crew_on_cluster(cluster, wanted, store, note)

    def build(
        self,
        prepared: Prepared,
        *,
        runtime: str,
        observer: Observer,
        fresh: bool = False,
        keep_s: float | None = None,
        cluster: str | None = None,
    ) -> BuildResult:
        """Carry out a plan, here or on a cluster, and write the build directory; sessions are kept for `keep_s`."""
        from bskernel.report.log import Log

        began = time.monotonic()
        directory = BuildDirectory(prepared.output)
        directory.open()
        with (prepared.output / BUILD_LOG).open("w", encoding="utf-8", buffering=1) as log:
            noting = Noting((Log.to_file(log), observer), directory)
            for line in prepared.backend.lines if prepared.backend else ():
                noting.note(line)
            if prepared.without_points:
                noting.note(f"this builds {prepared.loaded.path.name} alone; `bskernel sweep` builds its points")
            noting.planned(prepared.plan.steps)
            try:
                directory.write_config(recorded_config(prepared.loaded))
                with (
                    self.open_store(prepared.loaded, noting.note) as opened,
                    self.crew(
                        prepared.loaded,
                        opened.store,
                        runtime=runtime,
                        note=noting.note,
                        share=not fresh,
                        keep_s=keep_s,
                        cluster=cluster,
                    ) as hired,
                ):
                    result = self._carried_out(prepared, opened.store, hired, noting, fresh=fresh, began=began)
                    if result.status == "interrupted":
                        opened.leave_pending()
            finally:
                self.files.save()
                directory.close()
                noting.over()
        return result

    def _carried_out(
        self, prepared: Prepared, store: Store, hired: Hired, noting: Noting, *, fresh: bool, began: float
    ) -> BuildResult:
        from bskernel.finishing import outcome_of, write_outcome

        for attempt in range(2):
            reports = carry_out_plan(
                prepared.plan,
                store,
                hired.crew,
                noting,
                limits=hired.limits,
                salt=prepared.loaded.config.build.salt,
                fresh=fresh,
                entry_of=self.entry,
            )
            result = outcome_of(
                prepared.loaded,
                prepared.plan.steps,
                reports,
                metrics_of(reports, store),
                output=prepared.output,
                runtime=hired.crew.runtime_name,
                seconds=time.monotonic() - began,
                backend=prepared.backend,
            )
            damaged = write_outcome(noting.directory, result, store, whole=attempt == 0)
            if not damaged:
                break
            # Its bytes were not looked at until now; found damaged, they are gone, and what made them runs.
            noting.note(f"{damaged[0]} is gone from the cache, or damaged: what makes it is carried out again")
        return result

    def replay(self, build: Path, step: str, target: Path, *, runtime: str, report: Callable[[str], None]) -> int:
        """A step of a build again, alone, in a folder under `target` that is kept; its exit code.

        Raises ConfigError, EnvironmentLacking.
        """
        from bskernel.installs import find_again
        from bskernel.runtime.folders import make_folders

        folder, manifest = BuildDirectory(build).manifest(step)
        recipe = self._same_recipe(manifest)
        directory = target / folder.name
        if directory.exists():
            raise ConfigError(f"{directory} exists already", hint="remove it, or give another --into")
        tools = tuple(find_again(tool, manifest.tools[tool], self.cache) for tool in sorted(manifest.tools))
        executor = msgspec.structs.replace(recipe.ref, tools=tools)
        starter = self.starter(runtime, report)
        starter.prepare(executor)
        failure = lay_out(self.store, manifest, directory, directory / "in")
        if failure is not None:
            raise EnvironmentLacking(failure.message, hint=failure.hint)
        session = make_folders(self.cache)
        try:
            return starter.run_by_hand(executor, directory, session, report)
        finally:
            starter.end_left(session.id)
            session.remove()

    def _engine(self) -> docker.APIClient | None:
        from bskernel.engine import connect

        try:
            return connect()
        except EnvironmentLacking:
            return None

    def image_states(self) -> tuple[RecipeState, ...]:
        """What is made of each recipe here."""
        client = self._engine()
        return tuple(state_on(recipe, self.cache, client) for recipe in self.recipes)

    def check_images(self, names: Sequence[str], report: Callable[[str], None]) -> tuple[RecipeState, ...]:
        """What is made of each recipe here, and whether its catalogue is what the executor says."""
        client = self._engine()
        return tuple(check(recipe, self.cache, client, report) for recipe in choose_recipes(self.recipes, names))

    def make_images(self, names: Sequence[str], *, runtime: str, report: Callable[[str], None]) -> Iterator[str]:
        """Have what the named executors, or all, run in; yields each name when it is made."""
        chosen = choose_recipes(self.recipes, names)
        starter = self.starter(runtime, report)
        for recipe in chosen:
            starter.prepare(recipe.ref)
            yield recipe.name

    def _same_recipe(self, manifest: StepManifest) -> Recipe:
        name = f"{manifest.executor}@{manifest.version}"
        for recipe in self.recipes:
            if recipe.name == name:
                if recipe.digest != manifest.executor_digest:
                    raise EnvironmentLacking(f"{name} has changed since that build", hint="run the build again first")
                return recipe
        raise EnvironmentLacking(f"there is no executor {name} any more")


__all__ = ["Application", "PlannedStep", "Prepared"]
