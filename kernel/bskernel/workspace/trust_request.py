"""What a project asks for that its user has to allow: it could run programs, send files away or write anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bskernel.config import ClusterSection
from bskernel.core.step import FromFile, FromFiles, Step
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.store import SharedSettings

Kind = Literal["tool", "recipes", "store", "store-write", "store-sign", "cluster", "output", "input"]
_COUNTS = {"workers", "steps", "cores"}  # keys of [cluster] that are numbers
_WHY = {
    "tool": "it runs on this machine",
    "recipes": "programs and packages from there run on this machine",
    "store": "builds recall results from it, and programs among them run in later steps",
    "store-write": "results, and what steps read, are sent there",
    "store-sign": "what this build makes is signed with that key, so that others trust it",
    "cluster": "it is part of the jobs that the batch system runs",
    "output": "it is outside the project's folder",
    "input": "it is outside the project's folder, and results are sent to the project's store",
}


class TrustRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a project's file, with its value and what the value means on this machine."""

    kind: Kind
    key: str
    value: str  # as the file has it
    target: str  # the absolute path or the whole URL
    digest: str = ""  # of a tool's files, or of all that recipes make executors from

    @property
    def why(self) -> str:
        """What the value could do."""
        return _WHY[self.kind]


def store_requests(loaded: LoadedConfig, shared: SharedSettings) -> Iterator[TrustRequest]:
    """What a shared store needs, as far as the file, and not the user, names it."""
    # The name stands for options and for parts of the URL that may be secrets.
    target = f"{shared.shown} ({shared.name})" if shared.options or "?" in shared.url else shared.shown
    if not loaded.is_given("store", "shared"):
        yield TrustRequest(kind="store", key="store.shared", value=shared.shown, target=target)
    elif shared.options and not loaded.is_given("store", "options"):
        yield TrustRequest(kind="store", key="store.options", value=", ".join(shared.options), target=target)
    if shared.mode != "read-only" and not loaded.is_given("store", "mode"):
        yield TrustRequest(kind="store-write", key="store.mode", value=shared.mode, target=target)
    if shared.sign_with is not None and not loaded.is_given("store", "sign_with"):
        key = str((loaded.folder / Path(shared.sign_with.name).expanduser()).absolute())
        yield TrustRequest(kind="store-sign", key="store.sign_with", value=shared.sign_with.name, target=key)


def cluster_requests(loaded: LoadedConfig) -> Iterator[TrustRequest]:
    """What the [cluster] table needs: every key that reaches a job's script or a worker as text."""
    section, default = loaded.config.cluster, ClusterSection()
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if name not in _COUNTS and value != getattr(default, name) and not loaded.is_given("cluster", name):
            text = msgspec.json.encode(value, order="sorted").decode()
            yield TrustRequest(kind="cluster", key=f"cluster.{name}", value=text, target=text)


def output_request(loaded: LoadedConfig, target: Path) -> TrustRequest:
    """What an output folder outside the project's folder needs."""
    value = loaded.config.build.output or loaded.name
    return TrustRequest(kind="output", key="build.output", value=value, target=str(target))


def input_requests(loaded: LoadedConfig, steps: tuple[Step, ...], shared: SharedSettings) -> Iterator[TrustRequest]:
    """What files outside the project's folder need, links to them too, when the project's store is written to."""
    if shared.mode == "read-only" or loaded.is_given("store", "shared"):
        return
    folder = loaded.folder.resolve()
    for step in steps:
        for name, source in step.inputs.items():
            paths: tuple[Path, ...] = ()
            if isinstance(source, FromFile):
                paths = (source.path,)
            elif isinstance(source, FromFiles):
                paths = tuple(source.folder / file for file in source.names)
            for path in paths:
                real = path.resolve()
                if not real.is_relative_to(folder):
                    key = f"step {step.name}: input {name}"
                    yield TrustRequest(kind="input", key=key, value=str(path), target=str(real))
