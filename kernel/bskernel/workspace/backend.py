"""Resolves the backend of a configuration: the named one, the first that can run the build, or none."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bskernel.config.decoder import convert
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.loader import load_flow
from bskernel.images import Recipe
from bskernel.plan.backend_choice import Choice, PlanOf, backend_flow, choose
from bskernel.plan.backend_data import Backend, BackendFile
from bskernel.plan.planner import Plan
from bskernel.workspace.availability import find_availability


class ResolvedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration with the flow and versions of its backend, and the plan; `choice` is None without a backend."""

    loaded: LoadedConfig
    plan: Plan
    choice: Choice | None = None


def resolve_backend(
    loaded: LoadedConfig,
    plan_of: PlanOf,
    recipes: Sequence[Recipe],
    cache: Path,
    is_built: Callable[[Recipe], bool],
) -> ResolvedBuild:
    """Choose the backend, and plan the build with it. Raises ConfigError, EnvironmentLacking."""
    if loaded.config.build.backend is None:
        return ResolvedBuild(loaded=loaded, plan=plan_of(loaded.config))
    backends = load_backends()
    here = find_availability(recipes, backends, cache, is_built)
    chosen = choose(loaded.config, backends, plan_of, here, str(loaded.path))
    flow = load_flow(chosen.config, loaded.path, loaded.place)
    loaded = msgspec.structs.replace(loaded, config=chosen.config, flow=flow)
    return ResolvedBuild(loaded=loaded, plan=chosen.plan, choice=chosen.choice)


def with_backend_flow(loaded: LoadedConfig) -> LoadedConfig:
    """Return the configuration with the flow that its named backend uses; plans nothing. Raises ConfigError."""
    for backend in load_backends():
        if backend.name == loaded.config.build.backend:
            flow = backend_flow(loaded.config, backend) or loaded.config.build.flow
            build = msgspec.structs.replace(loaded.config.build, flow=flow)
            config = msgspec.structs.replace(loaded.config, build=build)
            return msgspec.structs.replace(loaded, config=config, flow=load_flow(config, loaded.path, loaded.place))
    return loaded


def load_backends() -> tuple[Backend, ...]:
    """Read all backends, in the order in which `auto` tries them."""
    found = []
    for path in (Path(__file__).parent / "backends").glob("*.toml"):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(Backend(name=path.stem, file=convert(data, BackendFile, f"backend {path.stem}")))
    return tuple(sorted(found, key=lambda backend: backend.file.order))
