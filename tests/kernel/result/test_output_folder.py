"""The folder that a build writes to: no link is followed, and no file is lost that a build did not write."""

import os
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError
from bskernel.result.output_folder import (
    MARK,
    clear_for_file,
    clear_for_folder,
    create_text,
    keep_unknown_files,
    make_output_folder,
    open_mark,
    read_plain_file,
)


def test_a_folder_is_made_below_the_project_and_marked_once(tmp_path: Path) -> None:
    for _ in range(2):
        make_output_folder(tmp_path / "a" / "b", tmp_path)
        open_mark(tmp_path / "a" / "b").close()
        (tmp_path / "a" / "b" / "result.json").touch()
    assert (tmp_path / "a" / "b" / MARK).is_file()


@pytest.mark.parametrize("killed_after", ["", "build", "build/b"])
def test_the_folder_of_builds_is_kept_out_of_git_though_a_build_was_killed_while_it_was_made(
    tmp_path: Path, killed_after: str
) -> None:
    for part in ("build", "build/b"):
        if killed_after.startswith(part):
            (tmp_path / part).mkdir()
            if part != killed_after:
                (tmp_path / part / ".gitignore").write_text("*\n")
    make_output_folder(tmp_path / "build" / "b", tmp_path)
    assert [path.parent.name for path in tmp_path.rglob(".gitignore")] == ["build"]


def test_a_folder_of_the_user_s_is_not_kept_out_of_git(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").touch()
    make_output_folder(tmp_path / "mine" / "b", tmp_path)
    assert [path.parent.name for path in tmp_path.rglob(".gitignore")] == ["b"]


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/steps", "a/b/steps/00-x", "a/b/artifacts", "a/b/points/p"])
def test_a_link_is_refused_by_name_and_stays(tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project = tmp_path / "project"
    (project / link).parent.mkdir(parents=True)
    (project / link).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=f"{project / link} is a link to {elsewhere}"):
        make_output_folder(project / "a" / "b", project)
    assert list(elsewhere.iterdir()) == []
    assert (project / link).is_symlink()


def test_a_folder_that_the_user_named_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_output_folder(tmp_path / "link" / "b", None)
    assert (tmp_path / "real" / "b").is_dir()


@pytest.mark.parametrize("held", ["notes", "result.json", ".hidden", "artifacts/"])
def test_a_folder_with_files_and_without_the_mark_is_not_taken(tmp_path: Path, held: str) -> None:
    (tmp_path / held).mkdir() if held.endswith("/") else (tmp_path / held).touch()
    with pytest.raises(ConfigError, match="no build made"):
        open_mark(tmp_path)
    assert not (tmp_path / MARK).exists()


def test_a_mark_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    for make in (lambda path: path.symlink_to("notes"), os.mkfifo, os.mkdir):
        make(tmp_path / MARK)
        with pytest.raises((ConfigError, OSError)):
            open_mark(tmp_path)
        (tmp_path / MARK).rmdir() if (tmp_path / MARK).is_dir() else (tmp_path / MARK).unlink()
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_link_to_a_file_is_replaced_not_cut_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "log").symlink_to("notes")
    assert read_plain_file(tmp_path / "log", tmp_path) is None
    with create_text(tmp_path / "log") as log:
        log.write("text\n")
    assert (tmp_path / "notes").read_text() == "mine"
    assert read_plain_file(tmp_path / "log", tmp_path, 3) == b"xt\n"
    os.mkfifo(tmp_path / "fifo")
    assert read_plain_file(tmp_path / "fifo", tmp_path) is None
    (tmp_path / "folder").symlink_to(".")
    assert read_plain_file(tmp_path / "folder" / "notes", tmp_path) is None


def test_what_no_build_wrote_moves_on_and_the_rest_does_not(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("model", "tree/a", "mine", "tree/mine", "deep/er/mine", "both"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text("old")
    (old / "link").symlink_to("/elsewhere")
    (new / "tree").mkdir(parents=True)
    (new / "both").write_text("new")
    keep_unknown_files(old, {"model", "tree/a"}, new.joinpath, tmp_path / "kept")
    found = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if not path.is_dir())
    assert found == ["both", "deep/er/mine", "link", "mine", "tree/mine"]
    assert (new / "both").read_text() == "new"
    assert (tmp_path / "kept" / "both").read_text() == "old"
    assert (new / "link").readlink() == Path("/elsewhere")


def test_what_is_set_aside_is_kept_beside_what_was_set_aside_before(tmp_path: Path) -> None:
    build, kept = tmp_path / "build", tmp_path / "build" / "kept"
    build.mkdir()
    for number in range(3):
        (build / "metrics.json").mkdir()
        (build / "metrics.json" / "mine").write_text(str(number))
        clear_for_file(build / "metrics.json", kept / "metrics.json")
        assert not (build / "metrics.json").exists()
    (build / "steps").write_text("3")
    clear_for_folder(build / "steps", kept / "metrics.json" / "mine" / "steps")  # below a file that is kept already
    assert not (build / "steps").exists()
    assert sorted(path.read_text() for path in kept.rglob("*") if path.is_file()) == ["0", "1", "2", "3"]


def test_what_holds_nothing_of_anybody_s_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    clear_for_file(tmp_path / "empty", tmp_path / "kept" / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    clear_for_file(tmp_path / "link", tmp_path / "kept" / "link")
    assert not (tmp_path / "kept").exists()
