"""Checks what this machine offers to builds: tools, licences, a Docker engine, disk and memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel.commands.images import image_states
from bskernel.commands.machine_facts import Room, engine_facts, room
from bskernel.core.catalogue import Executors
from bskernel.core.errors import ConfigError
from bskernel.flow.loader import flow_names, shipped_flow
from bskernel.host.system import SystemFacts, system_facts
from bskernel.images.status import RecipeState
from bskernel.runtime.confinement import describe_confinement, landlock_version
from bskernel.tools import FoundInstall, find_installs, licences_of
from bskernel.workspace.workspace import Workspace

_PROGRAMS = ("g++", "make", "git", "docker", "verilator")
_SIMULATION = ("g++", "make")  # what the process runtime compiles simulations with


class FlowState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a shipped flow can run here; `missing` maps a missing tool to the first step that needs it."""

    name: str
    summary: str
    missing: dict[str, str]


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `bskernel doctor`."""

    system: SystemFacts
    engine: dict[str, Any]
    room: Room
    landlock: int  # its version (ABI), 0 without
    programs: dict[str, str | None]  # name -> path, None if it is not in PATH
    licences: dict[str, str]
    installs: tuple[FoundInstall, ...]
    recipes: tuple[RecipeState, ...]
    flows: tuple[FlowState, ...]


def _licences_at_home() -> dict[str, str]:
    """Licence files that tools would find in the user's home; steps have their own home and do not see them."""
    found = len(list((Path.home() / ".Xilinx").glob("*.lic")))
    return {"~/.Xilinx": f"{found} not visible to steps: list them in XILINXD_LICENSE_FILE"} if found else {}


def flow_states(executors: Executors, tools: frozenset[str]) -> Iterator[FlowState]:
    """Which shipped flows can run with these tools, and what the others need."""
    for name in flow_names():
        flow = shipped_flow(name)
        missing: dict[str, str] = {}
        for step in flow.step:
            executor, _, entry = str(step.entry).rpartition(":")
            try:
                found = executors.resolve(step.executor or executor, {}, f"flow {name}").entry(entry)
            except ConfigError as error:
                missing.setdefault(step.executor or executor, error.message)
                continue
            for tool in found.needs if found is not None else ():
                if tool not in tools:
                    missing.setdefault(tool, f"for {step.name or entry}")
        yield FlowState(name=name, summary=flow.summary, missing=missing)


def diagnose(workspace: Workspace, environment: Mapping[str, str]) -> Diagnosis:
    """Look at this machine. Changes nothing but the cache's list of installed tools."""
    installs = find_installs(workspace.cache, environment)
    present = frozenset(item.tool for item in installs if item.install is not None)
    return Diagnosis(
        system=system_facts(),
        engine=engine_facts(),
        room=room(workspace.cache),
        landlock=landlock_version(),
        programs={name: shutil.which(name, path=environment.get("PATH")) for name in _PROGRAMS},
        licences=licences_of(environment).shown() | _licences_at_home(),
        installs=installs,
        recipes=image_states(workspace),
        flows=tuple(flow_states(workspace.executors, present)),
    )


def _gib(number: int | None) -> str:
    return "unknown" if number is None else f"{number / (1 << 30):.1f} GiB"


def _program(name: str, where: str | None) -> str:
    why = "; the process runtime needs it for simulation" if name in _SIMULATION else ""
    return where or f"not found{why}"


def describe(found: Diagnosis) -> Iterator[str]:
    """The lines that `bskernel doctor` prints."""
    system, engine = found.system, found.engine
    processors = f"{system.processors} processors"
    yield f"system    {system.os}, Linux {system.kernel}, {system.libc}, {system.machine}; {processors}"
    yield f"memory    {_gib(found.room.memory_available)} available of {_gib(system.memory_mib << 20)}"
    yield f"disk      {_gib(found.room.disk_free)} free at {found.room.cache}"
    yield f"steps     {describe_confinement(found.landlock)}"
    yield f"engine    {engine.get('version') or engine.get('none')}"
    yield from (f"program   {name}: {_program(name, where)}" for name, where in found.programs.items())
    yield from (f"licence   {name}: {state}" for name, state in found.licences.items())
    if not found.installs:
        yield "tool      none in /opt/Xilinx, /tools/Xilinx or PATH"
    for item in found.installs:
        yield f"tool      {item.tool}: {item.install.label if item.install else item.problem}  {item.root}"
    for state in found.recipes:
        yield f"executor  {state.name}: environment {state.environment}, image {state.image}"
    for flow in found.flows:
        missing = "; ".join(f"{tool} ({why})" for tool, why in flow.missing.items())
        yield f"flow      {flow.name}: {'missing ' + missing if missing else 'can run'}"
