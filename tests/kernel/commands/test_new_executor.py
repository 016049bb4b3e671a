"""`bskernel new-executor`: a package that is whole, and a refusal that leaves everything as it was."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from bskernel.commands import new_executor
from bskernel.commands.new_executor import write_package
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import NamedFolder, search_recipes
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

TEMPLATES = Path(new_executor.__file__).parent / "executor_package"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BSKERNEL_RECIPES", raising=False)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_package_has_every_file_that_it_names_and_no_placeholder(tmp_path: Path) -> None:
    package = write_package("net-size", None)
    folder = tmp_path / "net-size"
    assert files(folder) == {str(path) for path in package.files}
    for path in package.files:
        text = (folder / path).read_text()
        assert not any(f"@{word}@" in text for word in ("NAME", "MODULE", "BSKERNEL")), path
        assert "MODULE" not in str(path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["bskernel.executors"] == {"net-size": "bskernel_net_size"}
    assert (folder / "src" / "bskernel_net_size" / "images" / "net-size" / "1.0.0" / "catalogue.json").is_file()


def test_the_recipe_of_a_package_is_found_in_its_folder(tmp_path: Path) -> None:
    write_package("net-size", tmp_path / "elsewhere" / "deep")
    named = NamedFolder(path=tmp_path / "elsewhere" / "deep", origin="")
    recipe = search_recipes(ROOT, (named,))[0]
    assert recipe.name == "net-size@1.0.0"
    own = [name for name, _ in recipe.source_files() if name.startswith("bskernel_net_size")]
    assert own == ["bskernel_net_size/__init__.py", "bskernel_net_size/entries.py"]


def test_the_environment_of_a_package_is_that_of_metrics_so_that_it_is_made_once() -> None:
    (lock,) = TEMPLATES.rglob("requirements.lock.template")
    assert lock.read_bytes() == (ROOT / "images" / "metrics" / "1.0.0" / "requirements.lock").read_bytes()


def test_code_of_a_package_passes_the_checks_of_this_project(tmp_path: Path) -> None:
    write_package("net-size", None)
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--ignore", "D,INP001,S101"], ["format", "--check"]):
        subprocess.run(
            [ruff, *command, "--config", ROOT / "pyproject.toml", tmp_path / "net-size"], check=True, timeout=60
        )


def test_what_is_there_is_not_overwritten_and_nothing_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "net-size"
    folder.mkdir()
    (folder / ".git").mkdir()  # a repository that is otherwise empty is no obstacle
    (folder / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"net-size: has README\.md already, and nothing is overwritten"):
        write_package("net-size", None)
    assert files(folder) == {"README.md"}
    (folder / "README.md").unlink()
    write_package("net-size", None)
    assert (folder / "pyproject.toml").is_file()


def test_a_file_in_place_of_the_folder_and_a_place_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "net-size").write_text("")
    with pytest.raises(ConfigError, match="net-size: there is a file of this name"):
        write_package("net-size", None)
    with pytest.raises(EnvironmentLacking, match=r"/dev/null/x/.*: cannot be written: Not a directory"):
        write_package("net-size", Path("/dev/null/x"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Net_Size", "e.g. net-size"),
        ("net--size", "e.g. net-size"),
        ("2fast", "e.g. fast"),
        ("../x", "e.g. x"),
        ("", "e.g. onnx-stats"),
        ("ä", "e.g. onnx-stats"),
        ("x" * 61, "at most 60 characters"),
    ],
)
def test_a_name_that_is_not_possible_is_answered_with_one_that_is(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of an executor") as caught:
        write_package(name, None)
    assert says in str(caught.value.hint)
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"), [("finn-step", "there is an executor finn-step: "), ("recipes", "bskernel-recipes")]
)
def test_a_name_that_is_taken_is_refused(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        write_package(name, None)


@given(st.text(max_size=70))
def test_any_name_gives_a_package_or_the_declared_error(name: str) -> None:
    try:
        new_executor._check_name(name)
    except ConfigError:
        return
    assert name == name.lower()
    assert f"bskernel_{name.replace('-', '_')}".isidentifier()


def test_the_command_says_what_to_type_next_and_that_works_as_typed(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("bskernel")
    variables = os.environ | {
        "BSKERNEL_CACHE": str(tmp_path / "cache"),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    written = subprocess.run(
        [program, "new-executor", "net-size", "--directory", "my folder"],
        capture_output=True,
        text=True,
        check=True,
        env=variables,
    )
    lines = [line.strip() for line in written.stdout.splitlines() if line.startswith("    ")]
    assert lines[0] == "cd 'my folder'"
    script = "\n".join(["set -e", *lines[:2], lines[2].replace("bskernel run", "bskernel plan")])
    planned = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=variables)
    assert "measure  net-size@1.0.0" in planned.stdout
