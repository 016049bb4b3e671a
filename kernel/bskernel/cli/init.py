"""`bskernel init`: the first build.toml of a project."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.options import OUTPUT_FILE, PATH, RUNTIME
from bskernel.cli.output import echo, print_note, refuse_link, write_file
from bskernel.core.errors import EXIT_INTERRUPTED, ConfigError

if TYPE_CHECKING:
    from bskernel.scaffold.new_build import Target
    from bskernel.workspace.workspace import Workspace

_CI_FILES = {"github": Path(".github/workflows/bskernel.yml"), "gitlab": Path(".gitlab-ci.yml")}
_DEFAULT = Path("build.toml")
_INCLUDED = Path(".gitlab/bskernel.yml")  # beside a .gitlab-ci.yml that is there


@click.command()
@click.argument("model", type=PATH, required=False)
@click.option("--board", metavar="NAME", help="Board to build for; `bskernel steps finn-step` lists them.")
@click.option("--part", metavar="PART", help="FPGA part to build for, e.g. xczu7ev-ffvc1156-2-e.")
@click.option("--flow", metavar="FLOW", help="What to build: estimate (the default), codegen, rtl, open, ...")
@click.option("--target-fps", type=click.IntRange(min=1), metavar="N", help="Throughput to reach, in inferences/s.")
@click.option("--clock-ns", type=float, metavar="X", help="Clock period in ns; 5.0 is 200 MHz.")
@click.option("--from-finn", type=PATH, metavar="FILE", help="Import FINN's own build configuration (JSON or YAML).")
@click.option("--ci", type=click.Choice(tuple(_CI_FILES)), help="Also write a CI file that runs the build.")
@OUTPUT_FILE
@click.option("--yes", is_flag=True, help="Ask nothing; take the proposed board.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@RUNTIME
def init(
    model: Path | None,
    board: str | None,
    part: str | None,
    flow: str | None,
    target_fps: int | None,
    clock_ns: float | None,
    from_finn: Path | None,
    ci: str | None,
    output: Path | None,
    *,
    yes: bool,
    force: bool,
    runtime: str,
) -> None:
    """Look at MODEL, and write a build.toml for it.

    MODEL is an ONNX file, by default the only one of this folder. At a terminal it asks for the board. `bskernel run`
    then builds the accelerator. FILE is build.toml by default.
    """
    import msgspec

    from bskernel.commands.init import (
        FIRST_FLOW,
        boards_of,
        check_choice,
        describe_network,
        find_model,
        list_open_ends,
    )
    from bskernel.core.visible_text import visible
    from bskernel.scaffold.new_build import Target, make_build
    from bskernel.scaffold.summary import describe_obstacles, summarize_network
    from bskernel.workspace.user_files import FilesOnDisk
    from bskernel.workspace.workspace import Workspace

    if board is not None and part is not None:
        raise ConfigError("--board and --part exclude each other", hint="a board has its own part")
    output = output or _DEFAULT
    ci_file = _ci_file(ci) if ci is not None else None
    for path in (output, ci_file):
        if path is not None:
            _check_place(path, force=force)
    workspace = Workspace.here()
    given = Target(board=_known_board(workspace, board), part=part, target_fps=target_fps, clock_ns=clock_ns)
    if from_finn is not None:
        from bskernel.commands.finn_import import model_of

        model = model or model_of(from_finn)
    found = find_model(Path(), model, FilesOnDisk(workspace.files))
    relative = Path(os.path.relpath(found.absolute(), output.absolute().parent)).as_posix()
    chosen = given if board or part else msgspec.structs.replace(given, board=_proposed_board(workspace))
    check_choice(workspace, output, relative, chosen, flow)
    network = describe_network(workspace, found, runtime, print_note)
    for line in summarize_network(network, str(found)):
        echo(line)
    for line in describe_obstacles(network.problems):
        print_note(line)
    if from_finn is not None:
        from bskernel.commands.finn_import import import_finn
        from bskernel.scaffold.finn_build import make_finn_build

        imported = import_finn(workspace, from_finn, output.absolute().parent, given, flow, network.stages)
        if imported.target.keys().isdisjoint({"board", "part"}):
            given = _with_board(workspace, given, yes=yes)
            imported = import_finn(workspace, from_finn, output.absolute().parent, given, flow, network.stages)
        for note in imported.notes:
            print_note(str(note))
        built = make_finn_build(imported, network, model=relative, source=str(from_finn))
    else:
        given = _with_board(workspace, given, yes=yes)
        others = [name for name in boards_of(workspace) if name != given.board]
        built = make_build(network, relative, flow or FIRST_FLOW, given, others)
    text = visible(built.text())
    for line in list_open_ends(workspace, output, text):
        print_note(f"warning: {line}")
    written = {output: text}
    if ci is not None and ci_file is not None:
        from bskernel.scaffold.data_files import ci_template

        written[ci_file] = ci_template(ci).replace("CONFIG", shlex.quote(output.as_posix()))
    _write(written)
    if ci_file == _INCLUDED:
        print_note(f"add this to .gitlab-ci.yml: include: {{ local: {_INCLUDED} }}")
    command = "bskernel run" if output == _DEFAULT else f"bskernel run {output}"
    echo(f"wrote {', '.join(map(str, written))}")
    if network.fails:
        echo(f"next: mend what the error names ({output} says how), then {command}")
    else:
        echo(f"next: {command}")


def _ci_file(kind: str) -> Path:
    path = _CI_FILES[kind]
    return _INCLUDED if kind == "gitlab" and path.exists() else path


def _check_place(path: Path, *, force: bool) -> None:
    """Raise ConfigError for a file outside the working folder, or one that exists."""
    if not path.resolve().is_relative_to(Path.cwd().resolve()):
        raise ConfigError(f"{path} is outside the working folder", hint="change to the folder of the project first")
    refuse_link(path)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder", hint=f"--output {path / 'build.toml'}")
    if not path.parent.is_dir() and path.parent.parts[:1] not in {(".github",), (".gitlab",)}:
        raise ConfigError(f"{path}: there is no folder {path.parent}", hint="make it first")
    if path.exists() and not force:
        raise ConfigError(
            f"{path} exists, and is left as it is", hint="name another with --output FILE, or replace it with --force"
        )


def _with_board(workspace: Workspace, given: Target, *, yes: bool) -> Target:
    """The target with a board: at a terminal the user is asked for it, if no option names board or part."""
    import msgspec

    from bskernel.commands.init import boards_of
    from bskernel.scaffold.boards import group_boards
    from bskernel.scaffold.data_files import board_families

    if given.board is not None or given.part is not None:
        return given
    boards, board = boards_of(workspace), _proposed_board(workspace)
    if not yes and sys.stdin.isatty() and sys.stderr.isatty():
        board = _ask(boards, group_boards(boards, board_families()), board)
    else:
        print_note(f"no board given: {board} is assumed; choose one with --board NAME, or change target.board")
    return msgspec.structs.replace(given, board=board)


def _proposed_board(workspace: Workspace) -> str | None:
    from bskernel.commands.init import boards_of
    from bskernel.scaffold.boards import default_board
    from bskernel.scaffold.data_files import board_families

    return default_board(boards_of(workspace), board_families())


def _known_board(workspace: Workspace, board: str | None) -> str | None:
    """The board by the name that the executor has for it, in whatever case it was given."""
    from bskernel.commands.init import boards_of

    names = {name.lower(): name for name in boards_of(workspace)} if board is not None else {}
    return names.get(board.lower(), board) if board is not None else None


def _ask(boards: Mapping[str, str], groups: Mapping[str, tuple[str, ...]], default: str | None) -> str:
    """Ask for a board until it is one. Ends the command, with nothing written, if the user does not answer."""
    from bskernel.core.hints import nearest

    width = max(map(len, groups))
    print_note("\nboards:")
    for family, names in groups.items():
        print_note(f"  {family:{width}}  {', '.join(names)}")
    while True:
        try:
            answer = str(click.prompt("board", default=default, err=True)).strip()
        except (click.Abort, EOFError):
            print_note("\nno board chosen: nothing is written")
            sys.exit(EXIT_INTERRUPTED)
        same = next((name for name in boards if name.lower() == answer.lower()), None)
        if same is not None:
            return same
        near = nearest(answer, list(boards))
        print_note(f"no such board: {answer}" + (f"; did you mean {near[0]}?" if near else ""))


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text.encode())
