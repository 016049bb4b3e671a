"""A build directory is compared byte by byte with what its result says: whatever changes is noticed and named."""

import random
import shutil
from pathlib import Path

import pytest
from bskernel.commands.report import write_report
from bskernel.core.errors import ConfigError
from bskernel.result.damage import check_contents
from bskernel.result.report_file import REPORT
from bskernel.workspace.workspace import Workspace
from support.builds import build, write
from support.flipped_bits import files_of, flipped

BUILD = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:act"
"""
TREE = """
parameters.code = '''
(out / "tree" / "deep").mkdir(parents=True)
(out / "tree" / "deep" / "program").write_text("echo")
(out / "tree" / "deep" / "program").chmod(0o755)
(out / "tree" / "text").write_text("a line")
(out / "metrics").write_text('{"LUT": 1}')
'''
"""
FAILED = BUILD.replace("testing:act", "testing:misbehave") + 'parameters = { how = "raise" }\n'


@pytest.fixture(scope="module")
def built(root: Path, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small build made with its inputs."""
    folder = tmp_path_factory.mktemp("built")
    cache = folder / "cache"
    cache.mkdir()
    for name in ("envs", "code", "packages"):
        (cache / name).symlink_to(environments / name)
    made = build(Workspace(root, cache), Path(write(folder, BUILD + TREE)), folder / "out", with_inputs=True)
    assert made.status == "ok"
    return folder / "out"


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "copy")
    return tmp_path / "copy"


def told(folder: Path) -> list[str]:
    return [str(damage) for damage in check_contents(folder).damage]


def test_a_finished_build_is_as_its_result_says_also_as_a_copy(built: Path, copied: Path) -> None:
    for folder in (built, copied):
        contents = check_contents(folder)
        assert contents.damage == ()
        assert contents.files == len(files_of(folder))


def test_a_flipped_bit_in_any_file_is_noticed_and_that_file_alone_is_named(copied: Path) -> None:
    page = copied / REPORT
    page.write_text(write_report(copied, page))
    chance = random.Random(1)  # noqa: S311
    for path in (*files_of(copied), *[page] * 50):
        with flipped(path, chance):
            assert [damage.path for damage in check_contents(copied).damage] == [str(path.relative_to(copied))]
    assert told(copied) == []


def test_with_an_altered_result_the_files_that_other_notes_know_are_still_compared(copied: Path) -> None:
    for name in ("result.json", "config.json", "log.jsonl"):
        (copied / name).write_text((copied / name).read_text() + " ")
    assert told(copied) == [f"{name}: altered" for name in ("config.json", "log.jsonl", "result.json")]


def test_every_missing_file_is_named(copied: Path) -> None:
    for path in files_of(copied):
        name = str(path.relative_to(copied))
        if name == "result.json":
            continue  # then it is no finished build
        path.rename(copied.parent / "aside")
        assert any(line.startswith(f"{name}: missing") for line in told(copied)), name
        (copied.parent / "aside").rename(path)
    (copied / "result.json").unlink()
    with pytest.raises(ConfigError, match=r"result\.json: no such file"):
        check_contents(copied)


@pytest.mark.parametrize("place", ["new.txt", "steps/new", "artifacts/new", "artifacts/model.new", "inputs/new"])
def test_a_file_that_no_build_wrote_is_named(place: str, copied: Path) -> None:
    (copied / place).write_text("")
    assert told(copied) == [f"{place}: not written by the build"]


def test_a_file_in_a_tree_of_the_build_is_named_and_so_is_its_mode(copied: Path) -> None:
    tree = next(path for path in (copied / "artifacts").iterdir() if path.is_dir() and path.name != "by-step")
    inside = next(path for path in files_of(tree))
    inside.chmod(0o755 ^ (inside.stat().st_mode & 0o100))
    (tree / "extra").write_text("x")
    name = inside.relative_to(copied)
    found = told(copied)
    assert f"{tree.relative_to(copied)}/extra: not written by the build" in found
    assert any(line.startswith(f"{name}: ") and "executable now" in line for line in found), found


def test_a_link_in_the_place_of_a_file_is_named(copied: Path) -> None:
    (copied / "config.json").rename(copied.parent / "elsewhere")
    (copied / "config.json").symlink_to(copied.parent / "elsewhere")
    assert told(copied) == ["config.json: no plain file, or not readable"]


def test_a_result_that_cannot_be_read_is_named(copied: Path) -> None:
    (copied / "result.json").write_text("{")
    (damage,) = told(copied)
    assert damage.startswith("result.json: ")


def test_a_failed_build_is_as_its_result_says_too(root: Path, cache: Path, tmp_path: Path) -> None:
    made = build(Workspace(root, cache), Path(write(tmp_path, FAILED)), tmp_path / "out")
    assert made.status == "failed"
    assert told(tmp_path / "out") == []
