"""Makes the lock of a planned build: digests of the user's files, of executors and their parts, of tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from bskernel_protocol import PROTOCOL_VERSION, Artifact

from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, FromFile, FromFiles, FromStep, Source, Step
from bskernel.execution.step_inputs import InputMissing, capture_given
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.snapshot import portable, snapshot_config
from bskernel.images import Recipe
from bskernel.images.recipe import PLATFORM
from bskernel.lock.build_lock import BuildLock, ExecutorParts, GivenFile, LockedStep
from bskernel.plan.inputs import MODEL
from bskernel.workspace.release import find_release

# Where tools and recipes are is the machine's affair; what they are is in `flow` and `executors`.
_PLACES = ("tools", "recipes")


class NotLockable(Exception):  # noqa: N818 - says what is wrong better than a suffix
    """A build of which no lock can be made: the text says why."""


class GivenPath(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the user's on this machine, with its key in the lock."""

    key: str
    path: Path
    content: GivenFile


class LockMaker:
    """Makes locks of builds that share a store and recipes. The user's files are read once."""

    def __init__(self, store: Store, recipe_of: Callable[[ExecutorRef], Recipe]) -> None:
        self._store = store
        self._recipe_of = recipe_of
        self._captured: dict[Source, Artifact] = {}
        self._parts: dict[str, ExecutorParts] = {}

    def make(self, loaded: LoadedConfig, steps: Iterable[Step]) -> BuildLock:
        """The lock of a configuration that was planned. Raises NotLockable for a file that cannot be read."""
        steps = tuple(steps)
        given: dict[str, GivenFile] = {}
        for one in self.given(loaded, steps):
            if given.setdefault(one.key, one.content) != one.content:
                raise NotLockable(f"two given files outside the project have the name {one.key}: rename one of them")
        flow = loaded.config.build.flow
        return BuildLock(
            name=loaded.name,
            bskernel=find_release(),
            protocol=PROTOCOL_VERSION,
            platform=PLATFORM,
            model=_key(loaded.model, loaded.folder),
            files=dict(sorted(given.items())),
            config={key: value for key, value in snapshot_config(loaded).items() if key not in _PLACES},
            flow_file=_flow_file(loaded) if flow.endswith(".toml") and isinstance(loaded.config.step, dict) else None,
            flow=tuple(_locked(step, loaded.folder) for step in steps),
            executors={str(ref): self._executor(ref) for ref in sorted({step.executor for step in steps}, key=str)},
        )

    def given(self, loaded: LoadedConfig, steps: Iterable[Step]) -> tuple[GivenPath, ...]:
        """The model and every file and folder that the steps are given. Raises NotLockable."""
        model = FromFile(path=loaded.model, kind="file")
        found = [self._one(_key(loaded.model, loaded.folder), model)]
        for step in steps:
            for source in step.inputs.values():
                if isinstance(source, FromFile):
                    found.append(self._one(_key(source.path, loaded.folder), source))
                elif isinstance(source, FromFiles):
                    keys = _keys_of(step, source, loaded.folder)
                    files = [FromFile(path=source.folder / name, kind="file") for name in source.names]
                    found += [self._one(key, file) for key, file in zip(keys, files, strict=True)]
        return tuple({(one.key, one.path): one for one in found}.values())

    def _one(self, key: str, source: FromFile) -> GivenPath:
        known = self._captured.get(source)
        if known is None:
            try:
                known = self._captured[source] = capture_given(key, source, self._store)
            except InputMissing as error:
                raise NotLockable(str(error)) from error
        content = GivenFile(kind=known.kind, sha256=known.digest.sha256, size=known.digest.size)
        return GivenPath(key=key, path=source.path, content=content)

    def _executor(self, ref: ExecutorRef) -> ExecutorParts:
        if ref.digest not in self._parts:
            self._parts[ref.digest] = parts_of(self._recipe_of(ref))
        return self._parts[ref.digest]


def parts_of(recipe: Recipe) -> ExecutorParts:
    """What an executor is made of."""
    return ExecutorParts(
        digest=recipe.digest,
        base=recipe.base.name,
        base_digest=recipe.base.digest,
        python=recipe.file.python,
        packages=recipe.packages_digest,
        edits=recipe.edits_digest,
        git={source.name: source.commit for source in recipe.file.source},
        environment=recipe.environment_digest,
        sources=recipe.code_digest,
        module=recipe.module,
    )


def _key(path: Path, folder: Path) -> str:
    return str(portable(str(path), folder))


def _keys_of(step: Step, source: FromFiles, folder: Path) -> tuple[str, ...]:
    """The keys of files that lie beside a model: beside the model's key."""
    model = step.inputs.get(MODEL)
    above = PurePosixPath(_key(model.path, folder)).parent if isinstance(model, FromFile) else PurePosixPath()
    return tuple(str(above / name) for name in source.names)


def _locked(step: Step, folder: Path) -> LockedStep:
    inputs: dict[str, tuple[str, ...]] = {}
    for name, source in step.inputs.items():
        if isinstance(source, FromStep):
            inputs[name] = (f"{source.step}.{source.output}",)
        elif isinstance(source, FromFile):
            inputs[name] = (_key(source.path, folder),)
        else:
            inputs[name] = _keys_of(step, source, folder)
    return LockedStep(
        name=step.name,
        executor=str(step.executor),
        entry=step.entry,
        parameters=portable(step.parameters, folder),
        inputs=inputs,
        tools={install.tool: install.identity for install in step.executor.tools},
        each=step.each.input if step.each is not None else None,
    )


def _flow_file(loaded: LoadedConfig) -> dict[str, Any]:
    """The flow in a file of the user's, with the steps of those that it extends, without defaults."""
    data: dict[str, Any] = portable(msgspec.to_builtins(loaded.flow), loaded.folder)
    steps = [
        {key: value for key, value in step.items() if value not in ({}, [], False, None)} for step in data["step"]
    ]
    return {"summary": data["summary"], "versions": data["versions"], "step": steps}
