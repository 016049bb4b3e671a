"""Assigns to every step the tools that its entry needs; reports a missing key before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bskernel.config.schema import ToolSection
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.core.step import Step
from bskernel.core.tool import ToolInstall
from bskernel.tools.known import known_tools

Identify = Callable[[str, Path, str], ToolInstall]  # (tool, folder, the key that names it)


def _declared(step: Step, tool: str, sections: Mapping[str, ToolSection], path: Path) -> tuple[str, str, str | None]:
    """The tool's folder, the key that sets it, and the version that it must have."""
    section = sections.get(tool, ToolSection())
    version = step.tool_versions.get(tool)
    if version is not None:
        folder = section.versions.get(version)
        if folder is None:
            raise ConfigError(
                f"{path}: step {step.name}: tools.{tool}: unknown version {version!r}",
                hint=f"{choices(version, sorted(section.versions), 'versions')}, by [tools.{tool}.versions]",
            )
        return folder, f'tools.{tool}.versions."{version}"', version
    if section.path is None:
        raise EnvironmentLacking(
            f"{path}: step {step.name} needs {tool}, but tools.{tool}.path is not set",
            hint=f"set it in the file or with --set tools.{tool}.path=FOLDER (`bskernel doctor` lists installs),"
            " or end the build before the step (--to)",
        )
    return section.path, f"tools.{tool}.path", None


def equip(
    steps: tuple[Step, ...], sections: Mapping[str, ToolSection], path: Path, identify: Identify
) -> tuple[Step, ...]:
    """The steps with their tools. `path` is build.toml; tool paths are relative to its folder.

    Raises EnvironmentLacking for a tool that is not configured or not where its key says, ConfigError for an unknown
    tool or one whose version differs from its key.
    """
    for tool in sections:
        if tool not in known_tools():
            raise ConfigError(
                f"{path}: [tools.{tool}]: unknown tool", hint=choices(tool, sorted(known_tools()), "tools")
            )
    installs: dict[tuple[str, str], ToolInstall] = {}
    equipped = []
    for step in steps:
        for tool in step.tool_versions:
            if tool not in step.needs:
                raise ConfigError(
                    f"{path}: step {step.name}: tools.{tool}: {step.entry} does not use it",
                    hint=choices(tool, list(step.needs), "it uses"),
                )
        tools = []
        for tool in sorted(step.needs):
            folder, key, version = _declared(step, tool, sections, path)
            if (tool, folder) not in installs:
                installs[tool, folder] = identify(tool, path.parent / Path(folder).expanduser(), f"{path}: {key}")
            install = installs[tool, folder]
            if version is not None and install.version != version:
                raise ConfigError(f"{path}: {key}: {install.root} is {install.label}")
            tools.append(install)
        executor = msgspec.structs.replace(step.executor, tools=tuple(tools))
        equipped.append(msgspec.structs.replace(step, executor=executor))
    return tuple(equipped)
