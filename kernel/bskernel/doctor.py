"""What this machine has of all that builds may need: installed tools, licences, an engine, room."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

from bskernel.application import Application
from bskernel.catalogues import Executors
from bskernel.engine import connect
from bskernel.errors import ConfigError, EnvironmentLacking
from bskernel.images import RecipeState
from bskernel.installs import FoundInstall, find_installs, licences_of
from bskernel.loading import flow_names, shipped_flow

_PROGRAMS = {"g++": "simulations in the process runtime", "make": "simulations in the process runtime"}
_LARGEST = 32 << 20  # bytes of one file in a bundle


class FlowState(msgspec.Struct, frozen=True, kw_only=True):
    """Could a shipped flow run here; `missing` names tools that its steps need, each with the first such step."""

    name: str
    summary: str
    missing: dict[str, str]


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes: free on the cache's disk, memory in all and available; and processors."""

    cache: str
    disk_free: int
    memory: int | None
    memory_available: int | None
    processors: int


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that `bskernel doctor` tells."""

    system: str
    engine: str
    room: Room
    programs: dict[str, str]
    licences: dict[str, str]
    installs: tuple[FoundInstall, ...]
    recipes: tuple[RecipeState, ...]
    flows: tuple[FlowState, ...]


def _memory(field: str) -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None


def _room(cache: Path) -> Room:
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return Room(
        cache=str(cache),
        disk_free=shutil.disk_usage(place).free,
        memory=_memory("MemTotal"),
        memory_available=_memory("MemAvailable"),
        processors=len(os.sched_getaffinity(0)),
    )


def _engine() -> str:
    try:
        version = connect().version()
    except EnvironmentLacking as error:
        return f"none: {error.message}"
    return f"{version.get('Platform', {}).get('Name') or 'engine'} {version['Version']}"


def _licences_at_home() -> dict[str, str]:
    """Where the tools look by themselves; a step's home is its own, so that they do not see these."""
    found = len(list((Path.home() / ".Xilinx").glob("*.lic")))
    return {"~/.Xilinx": f"{found} not seen by steps: name them in XILINXD_LICENSE_FILE"} if found else {}


def flow_states(executors: Executors, tools: frozenset[str]) -> Iterator[FlowState]:
    """What each shipped flow lacks where these tools are there."""
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


def diagnose(application: Application, environment: Mapping[str, str]) -> Diagnosis:
    """Look at this machine; nothing is made or changed but the cache's note of which installs there are."""
    installs = find_installs(application.cache, environment)
    there = frozenset(item.tool for item in installs if item.install is not None)
    return Diagnosis(
        system=f"{platform.system()} {platform.release()}, glibc {platform.libc_ver()[1]}, {platform.machine()}",
        engine=_engine(),
        room=_room(application.cache),
        programs={name: shutil.which(name) or f"not found: {use} need it" for name, use in _PROGRAMS.items()},
        licences=licences_of(environment).shown() | _licences_at_home(),
        installs=installs,
        recipes=application.image_states(),
        flows=tuple(flow_states(application.executors, there)),
    )


def _gib(number: int | None) -> str:
    return "unknown" if number is None else f"{number / (1 << 30):.1f} GiB"


def describe(found: Diagnosis) -> Iterator[str]:
    """As lines for people."""
    room = found.room
    yield f"system    {found.system}; {room.processors} processors"
    yield f"memory    {_gib(room.memory_available)} available of {_gib(room.memory)}"
    yield f"disk      {_gib(room.disk_free)} free at {room.cache}"
    yield f"engine    {found.engine}"
    yield from (f"program   {name}: {where}" for name, where in found.programs.items())
    yield from (f"licence   {name}: {said}" for name, said in found.licences.items())
    if not found.installs:
        yield "tool      none found in /opt/Xilinx, /tools/Xilinx and PATH"
    for item in found.installs:
        yield f"tool      {item.tool}: {item.install.label if item.install else item.problem}  {item.root}"
    for state in found.recipes:
        yield f"executor  {state.name}: environment {state.environment}, image {state.image}"
    for flow in found.flows:
        lacks = "; ".join(f"{tool} ({why})" for tool, why in flow.missing.items())
        yield f"flow      {flow.name}: {'lacks ' + lacks if lacks else 'can run'}"


def redactor(environment: Mapping[str, str]) -> Callable[[str], str]:
    """Takes licences, the user, their home and the machine's name out of texts."""
    replacements: dict[str, str] = {}
    for value in licences_of(environment).variables.values():
        parts = [part for part in value.split(":") if part]
        for secret in (value, *parts, *(part.partition("@")[2] for part in parts)):
            replacements[secret] = "<licence>"
    replacements |= {str(Path.home()): "~", socket.gethostname(): "<host>", getpass.getuser(): "<user>"}
    known = sorted((text for text in replacements if len(text) > 3), key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile("|".join(map(re.escape, known)))
    return lambda text: pattern.sub(lambda match: replacements[match.group()], text)


def _of_build(build: Path) -> Iterator[tuple[str, Path]]:
    """Results, logs, and the text reports of a build; no models, no sources, no checkpoints."""
    names = ("result.json", "metrics.json", "log.jsonl", "steps/*/log.jsonl")
    kinds = ("*.rpt", "*.log", "*.xml", "*.tcl", "*.json")
    for pattern in (*names, *(f"artifacts/vivado*/**/{kind}" for kind in kinds)):
        for path in sorted(build.glob(pattern)):
            yield f"build/{path.relative_to(build)}", path


def write_bundle(
    target: Path, found: Diagnosis, environment: Mapping[str, str], build: Path | None
) -> tuple[str, ...]:
    """A tar.gz with the diagnosis and, of a build, its results and logs, redacted; the names of what is in it.

    Raises ConfigError.
    """
    if build is not None and not (build / "steps").is_dir():
        raise ConfigError(f"{build}: is no build directory", hint="name one that `bskernel run` wrote: build/NAME")
    redact = redactor(environment)
    texts = {"doctor.json": pretty_json(found)}
    for name, path in _of_build(build) if build is not None else ():
        if path.stat().st_size <= _LARGEST:
            texts[name] = path.read_text(encoding="utf-8", errors="replace")
    try:
        with tarfile.open(target, "w:gz") as archive:
            for name, text in texts.items():
                data = redact(text).encode()
                info = tarfile.TarInfo(f"bskernel-report/{name}")
                info.size, info.mode = len(data), 0o644
                archive.addfile(info, BytesIO(data))
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    return tuple(texts)
