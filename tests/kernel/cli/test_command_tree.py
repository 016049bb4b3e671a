"""The commands as a whole: one module each, one definition of each option, help that fits a terminal."""

import inspect
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import bskernel
import click
import pytest
from bskernel.cli.group import COMMANDS, cli
from bskernel.cli.options import BuildSelection, RunSelection
from bskernel.core.errors import ConfigError
from bskernel.workspace.build_options import BuildOptions
from click.testing import CliRunner

CLI = Path(bskernel.__file__).parent / "cli"
HELPERS = {"__init__", "group", "options", "output", "units", "plan_views", "sweep_views"}
HELPERS |= {"build_argument", "candidates", "ci_service", "conclusion", "config_keys", "crash_report", "shells"}
HELPERS |= {"standard_streams", "unchanged_build", "unchanged_record"}
# Options that mean several things, how many, and why. Every other name has one definition, wherever it occurs.
SEVERAL = {
    "--dry-run": (2, "what store gc would remove; the command of board flash"),
    "--output": (
        4,
        "a directory of run, sweep and plan; a file of bundle, diff, doctor; of calibrate; images export",
    ),
    "--verbose": (2, "the log of run and sweep; the recipes of plan"),
    "-v": (2, "the same"),
    "--into": (
        3,
        "where replay lays a step directory, by default 'replay'; where blueprint import writes; what verify keeps",
    ),
    "--model": (3, "the model of verify; a model of builds; that of another command"),
    "--upgrade": (2, "one executor of a lock; the packages of a recipe's lock"),
    "--runtime": (2, "where executors run; verify also takes the other runtime"),
}


def walk(command: click.Command = cli, path: str = "bskernel") -> Iterator[tuple[str, click.Command]]:
    """Every command and group with its path."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, f"{path} {name}")


TREE = dict(walk())


def help_of(path: str) -> list[str]:
    """The help of a command on a terminal of 80 columns."""
    done = CliRunner().invoke(cli, [*path.split()[1:], "--help"], terminal_width=80, prog_name="bskernel")
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_each_command_has_a_module_of_its_name_and_each_module_a_command() -> None:
    assert {path.stem for path in CLI.glob("*.py")} == {*(name.replace("-", "_") for name in COMMANDS), *HELPERS}
    for name in COMMANDS:
        callback = TREE[f"bskernel {name}"].callback
        assert callback is not None
        assert inspect.unwrap(callback).__module__ == f"bskernel.cli.{name.replace('-', '_')}"


def test_the_summary_of_each_command_is_the_first_sentence_of_its_help() -> None:
    context = click.Context(cli)
    for name, summary in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == summary


def test_every_option_is_defined_once() -> None:
    definitions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, command in TREE.items():
        for option in command.params:
            if isinstance(option, click.Option):
                definition = json.dumps(option.to_info_dict(), sort_keys=True, default=repr)
                for name in option.opts:
                    definitions[name][definition].append(path)
    several = {name: list(found.values()) for name, found in definitions.items() if len(found) > 1}
    assert {name: len(found) for name, found in several.items()} == {name: SEVERAL[name][0] for name in SEVERAL}
    assert sum(len(found) for found in definitions["--json"].values()) == 24  # the walk found them all


def test_every_option_and_command_explains_itself() -> None:
    for path, command in TREE.items():
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)
                assert option.help[0].isupper() or option.help.startswith(("markdown", "TOML")), option.help
                assert option.help.endswith("."), option.help


@pytest.mark.parametrize("path", [path for path, command in TREE.items() if isinstance(command, click.Group)])
def test_summaries_fit_80_columns_uncut(path: str) -> None:
    lines = help_of(path)
    start = next(at for at, line in enumerate(lines) if line in {"Commands:", "Build:"})
    listed = dict(line.split(maxsplit=1) for line in lines[start + 1 :] if line.startswith("  "))
    group = TREE[path]
    assert isinstance(group, click.Group)
    assert sorted(listed) == group.list_commands(click.Context(group))
    for name, summary in listed.items():
        assert "..." not in summary, name
        first = inspect.cleandoc(TREE[f"{path} {name}"].help or "").split("\n\n")[0]
        assert summary == " ".join(first.split()), name
    assert max(len(line) for line in lines) <= 80


@pytest.mark.parametrize("path", TREE)
def test_help_fits_80_columns(path: str) -> None:
    assert max(len(line) for line in help_of(path)) <= 80


def test_run_sweep_and_plan_take_the_same_options() -> None:
    def names(path: str) -> list[str | None]:
        return [option.name for option in TREE[path].params]

    assert names("bskernel sweep") == [*BuildSelection._fields, *RunSelection._fields, "as_json", "junit"]
    assert names("bskernel run") == [*names("bskernel sweep"), "locked", "with_inputs"]
    assert names("bskernel plan") == [*BuildSelection._fields, "as_json", "graph", "verbose"]


def test_run_and_sweep_take_the_same_arguments_from_python() -> None:
    run, sweep = inspect.signature(bskernel.run).parameters, inspect.signature(bskernel.sweep).parameters
    assert list(run.values()) == list(sweep.values())
    options = {*BuildSelection._fields, *RunSelection._fields} - {"verbose", "quiet", "keep_s"}
    assert set(run) == options | {"keep_warm_s"}


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_warm_sessions_and_a_cluster_exclude_each_other(command: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, [command, "build.toml", "--keep-warm", "10m", "--cluster", "local:2"])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.message == "--cluster and --keep-warm: give one of them"
    with pytest.raises(ConfigError, match="--cluster and --keep-warm"):
        getattr(bskernel, command)(tmp_path / "build.toml", keep_warm_s=60.0, cluster="local:2")
    assert BuildOptions(cluster="local:2").keep_s is None


@pytest.mark.parametrize(("wrong", "right"), [("rum", "run"), ("docter", "doctor"), ("sweeep", "sweep")])
def test_an_unknown_command_is_refused_with_the_likeliest_one(wrong: str, right: str) -> None:
    done = CliRunner().invoke(cli, [wrong])
    assert done.exit_code == 2
    assert f"No such command '{wrong}'. Did you mean '{right}'?" in done.output
