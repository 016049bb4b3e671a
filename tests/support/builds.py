"""Builds run as a test needs them: in this process with a workspace, or read back from a build directory."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bskernel.commands.build import run_build
from bskernel.core.observers import Observer, SilentObserver
from bskernel.flow.selection import RangeRequest
from bskernel.result.build_result import BuildResult
from bskernel.workspace.build_options import BuildOptions
from bskernel.workspace.workspace import Workspace


def build(
    workspace: Workspace,
    config: Path,
    output: Path,
    *settings: str,
    last: str | None = None,
    range_request: RangeRequest | None = None,
    runtime: str = "process",
    fresh: bool = False,
    with_inputs: bool = False,
    observer: Observer | None = None,
) -> BuildResult:
    """Build a build.toml as `bskernel run` does; `last` is its --to, `settings` its --set."""
    prepared = workspace.prepare(
        config, settings=settings, output=output, range_request=range_request or RangeRequest(last=last)
    )
    options = BuildOptions(runtime=runtime, fresh=fresh, with_inputs=with_inputs)
    return run_build(workspace, prepared, observer or SilentObserver(), options=options)


def write(folder: Path, *parts: str, number: int | str = 5) -> str:
    """A build.toml of these parts, and beside it the number.txt that builds of the testing executor begin with."""
    (folder / "number.txt").write_text(str(number))
    (folder / "build.toml").write_text("".join(parts))
    return str(folder / "build.toml")


def result_of(output: Path) -> Any:
    """result.json of a build directory."""
    return json.loads((output / "result.json").read_text())


def statuses(build: Path | BuildResult | dict[str, Any]) -> dict[str, str]:
    """How each step ended, by its name: of a build directory, of what was read from one, or of a result."""
    if isinstance(build, BuildResult):
        return {step.name: step.status for step in build.steps}
    steps: Sequence[dict[str, str]] = (result_of(build) if isinstance(build, Path) else build)["steps"]
    return {step["name"]: step["status"] for step in steps}


def build_text(workspace: Workspace, folder: Path, text: str, last: str | None = None) -> BuildResult:
    """Build a build.toml of that text in FOLDER/out."""
    return build(workspace, Path(write(folder, text)), folder / "out", last=last)
