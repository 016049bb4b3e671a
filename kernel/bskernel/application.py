"""Puts the parts together: configuration, recipes, store, runtime, build directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from bskernel_protocol import Artifact, Event, Failure, StepManifest
from bskernel_protocol.layout import LOG

from bskernel.action import Action, action_of, differences
from bskernel.build_directory import BuildDirectory
from bskernel.building import Observer, Sessions, StepReport, carry_out_plan, find_inputs
from bskernel.carry_out import lay_out, manifest_of
from bskernel.catalogues import Executors
from bskernel.config.load import LoadedConfig, load_config
from bskernel.errors import ConfigError, EnvironmentLacking
from bskernel.images import (
    Environment,
    Recipe,
    RecipeState,
    check,
    ensure_environment,
    find_recipes,
    load_executors,
    locate_root,
    state_on,
)
from bskernel.images.environment import cache_folder
from bskernel.plan import Plan, make_plan
from bskernel.result import BuildResult, newest_artifacts
from bskernel.runtime.folders import make_folders
from bskernel.runtime.process import ProcessStarter
from bskernel.runtime.session import FramedRuntime, Starter
from bskernel.step import ExecutorRef, FromStep, Step
from bskernel.store import DiskStore

if TYPE_CHECKING:
    import docker

    from bskernel.images.container_image import BuiltImage
    from bskernel.runtime.container import ContainerStarter

BUILD_LOG = "log.jsonl"
RUNTIMES = ("auto", "docker", "process")


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A build that can begin."""

    loaded: LoadedConfig
    plan: Plan
    output: Path


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of `bskernel plan`: will it be recalled, and if not, why."""

    step: Step
    cached: bool
    reasons: tuple[str, ...] = ()


class Application:
    """bskernel on this machine."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.cache = cache
        self.store = DiskStore(cache)
        self.recipes = find_recipes(root)
        self.executors: Executors = load_executors(self.recipes)

    @classmethod
    def here(cls) -> Application:
        """With the recipes of this checkout and this user's cache."""
        return cls(locate_root(), cache_folder())

    def recipe(self, executor: ExecutorRef) -> Recipe:
        """The recipe behind a plan's executor."""
        return next(recipe for recipe in self.recipes if recipe.name == str(executor))

    def prepare(
        self,
        path: Path,
        *,
        settings: Sequence[str] = (),
        first: str | None = None,
        last: str | None = None,
        output: Path | None = None,
    ) -> Prepared:
        """Read a build.toml and plan it. Raises ConfigError."""
        loaded = load_config(path, settings)
        plan = make_plan(
            loaded.config,
            loaded.flow.step,
            self.executors,
            path=loaded.path,
            model=loaded.model,
            first=first,
            last=last,
        )
        return Prepared(loaded=loaded, plan=plan, output=(output or loaded.output).resolve())

    def explain(self, prepared: Prepared) -> tuple[PlannedStep, ...]:
        """For every step: cached or not, and why not."""
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
            action = action_of(step, find_inputs(step, made, self.store), prepared.loaded.config.build.salt)
            known = self.store.recall(action)
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

    def starter(self, name: str, report: Callable[[str], None]) -> Starter:
        """What starts executors in the runtime of that name. Raises ConfigError, EnvironmentLacking."""
        if name not in RUNTIMES:
            raise ConfigError(f"runtime {name!r}: there is no such runtime", hint=f"runtimes: {', '.join(RUNTIMES)}")
        if name == "process":
            return self.process_starter(report)
        try:
            starter = self.container_starter(report)
        except EnvironmentLacking as error:
            if name == "docker":
                raise
            report(f"runtime: process ({error.message})")
            return self.process_starter(report)
        if name == "auto":
            report("runtime: docker (an engine answers)")
        return starter

    def runtime(self, name: str, report: Callable[[str], None]) -> FramedRuntime:
        """The runtime of that name; what dead kernels left is removed. Raises ConfigError, EnvironmentLacking."""
        runtime = FramedRuntime(self.cache, self.starter(name, report))
        runtime.sweep()
        return runtime

    def process_starter(self, report: Callable[[str], None]) -> ProcessStarter:
        """Starts executors in their environments."""

        def environment_of(recipe: Recipe) -> Environment:
            return ensure_environment(recipe, self.cache, report)

        return ProcessStarter(self.recipe, environment_of)

    def container_starter(self, report: Callable[[str], None]) -> ContainerStarter:
        """Starts executors in containers of their images. Raises EnvironmentLacking when no engine answers."""
        from bskernel.engine import connect
        from bskernel.images.container_image import ensure_image
        from bskernel.runtime.container import ContainerStarter

        client = connect()
        images: dict[ExecutorRef, BuiltImage] = {}

        def image_of(executor: ExecutorRef) -> BuiltImage:
            if executor not in images:
                images[executor] = ensure_image(self.recipe(executor), client, self.cache, report)
            return images[executor]

        return ContainerStarter(client, image_of)

    def build(self, prepared: Prepared, *, runtime: str, observer: Observer, fresh: bool = False) -> BuildResult:
        """Carry out a plan and write the build directory."""
        from bskernel.report.log import Log

        began = time.monotonic()
        directory = BuildDirectory(prepared.output)
        directory.open()
        salt = prepared.loaded.config.build.salt
        with (prepared.output / BUILD_LOG).open("w", encoding="utf-8", buffering=1) as log:
            noting = _Noting((Log.to_file(log), observer), directory, self.store)
            sessions = Sessions(lambda: self.runtime(runtime, noting.note))
            noting.planned(prepared.plan.steps)
            try:
                reports = carry_out_plan(prepared.plan, self.store, sessions, noting, salt=salt, fresh=fresh)
                result = self._result(prepared, reports, sessions.runtime_name, time.monotonic() - began)
                directory.export(result.artifacts.values(), self.store)
                directory.write_metrics(result.metrics)
                directory.write_result(result)
            finally:
                sessions.close()
                directory.close()
                noting.over()
        return result

    def _result(
        self, prepared: Prepared, reports: tuple[StepReport, ...], runtime: str, seconds: float
    ) -> BuildResult:
        reports = tuple(
            _with_log(report, step, prepared.output)
            for report, step in zip(reports, prepared.plan.steps, strict=True)
        )
        artifacts = newest_artifacts(reports)
        failed = next((report for report in reports if report.status == "failed"), None)
        return BuildResult(
            name=prepared.loaded.name,
            status="failed" if failed else "ok",
            runtime=runtime,
            directory=prepared.output,
            seconds=round(seconds, 3),
            steps=reports,
            artifacts=artifacts,
            metrics=self._metrics(artifacts.get("metrics")),
            failure=failed.failure if failed else None,
        )

    def _metrics(self, artifact: Artifact | None) -> dict[str, Any] | None:
        data = self.store.get(artifact.digest) if artifact is not None else None
        if data is None:
            return None
        metrics: dict[str, Any] = msgspec.json.decode(data)
        return metrics

    def replay(self, build: Path, step: str, target: Path, *, runtime: str, report: Callable[[str], None]) -> int:
        """A step of a build again, alone, in a folder under `target` that is kept; its exit code.

        Raises ConfigError, EnvironmentLacking.
        """
        folder, manifest = BuildDirectory(build).manifest(step)
        recipe = self._same_recipe(manifest)
        directory = target / folder.name
        if directory.exists():
            raise ConfigError(f"{directory} exists already", hint="remove it, or give another --into")
        starter = self.starter(runtime, report)
        executor = ExecutorRef(name=manifest.executor, version=manifest.version, digest=recipe.digest)
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

    def _chosen(self, names: Sequence[str]) -> tuple[Recipe, ...]:
        for name in names:
            if not any(name in {recipe.name, recipe.file.executor} for recipe in self.recipes):
                known = ", ".join(recipe.name for recipe in self.recipes)
                raise ConfigError(f"there is no image {name!r}", hint=f"images: {known}")
        return tuple(
            recipe for recipe in self.recipes if not names or {recipe.name, recipe.file.executor} & set(names)
        )

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
        return tuple(check(recipe, self.cache, client, report) for recipe in self._chosen(names))

    def make_images(self, names: Sequence[str], *, runtime: str, report: Callable[[str], None]) -> Iterator[str]:
        """Have what the named executors, or all, run in; yields each name when it is made."""
        chosen = self._chosen(names)
        starter = self.starter(runtime, report)
        for recipe in chosen:
            starter.prepare(ExecutorRef(name=recipe.file.executor, version=recipe.file.version, digest=recipe.digest))
            yield recipe.name

    def _same_recipe(self, manifest: StepManifest) -> Recipe:
        name = f"{manifest.executor}@{manifest.version}"
        for recipe in self.recipes:
            if recipe.name == name:
                if recipe.digest != manifest.executor_digest:
                    raise EnvironmentLacking(f"{name} has changed since that build", hint="run the build again first")
                return recipe
        raise EnvironmentLacking(f"there is no executor {name} any more")


def _with_log(report: StepReport, step: Step, output: Path) -> StepReport:
    """The report, its failure told where the step's log lies."""
    if report.failure is None or report.key is None:
        return report
    log = str(BuildDirectory(output).step(step.label) / LOG)
    return msgspec.structs.replace(report, failure=msgspec.structs.replace(report.failure, log=log))


class _Noting:
    """Writes each step's folder as soon as the step is over, and passes everything on."""

    def __init__(self, observers: tuple[Observer, ...], directory: BuildDirectory, store: DiskStore) -> None:
        self._observers = observers
        self._directory = directory
        self._store = store

    def note(self, text: str) -> None:
        for observer in self._observers:
            observer.note(text)

    def planned(self, steps: tuple[Step, ...]) -> None:
        for observer in self._observers:
            observer.planned(steps)

    def started(self, step: Step) -> None:
        for observer in self._observers:
            observer.started(step)

    def event(self, step: Step, event: Event) -> None:
        for observer in self._observers:
            observer.event(step, event)

    def over(self) -> None:
        for observer in self._observers:
            observer.over()

    def ended(self, step: Step, report: StepReport, action: Action | None, log: bytes) -> None:
        if action is not None:
            known = self._store.recall(action) if report.status == "recalled" else None
            kept = self._store.get(known.log) if known is not None and known.log is not None else None
            inputs = {
                name: Artifact(name=name, kind=self._kind(step, name), digest=digest)
                for name, digest in action.inputs.items()
            }
            self._directory.note_step(step.label, action, manifest_of(step, inputs), kept or log)
        for observer in self._observers:
            observer.ended(step, report, action, log)

    @staticmethod
    def _kind(step: Step, name: str) -> Any:
        source = step.inputs[name]
        if isinstance(source, FromStep):
            return "file" if name in {"model", "metrics"} else "tree"
        return source.kind


__all__ = ["Application", "Failure", "PlannedStep", "Prepared"]
