"""Git repositories at a commit as parts of a recipe: the commit alone decides what comes of them."""

import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import ensure_environment, find_recipes, why_not_here
from bskernel.images.git_source import GitSource, ensure_tree
from bskernel.images.recipe import Recipe
from support.paths import ROOT


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_AUTHOR_DATE": "@0 +0000",
            "GIT_COMMITTER_DATE": "@0 +0000",
        },
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The package tiny, and files that git's attributes and settings would alter."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "tests" / "testing_source", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / "link").symlink_to("data/deep/table.txt")
    (folder / ".gitattributes").write_text("*.txt export-subst eol=crlf\ndata export-ignore\n")
    git(folder, "init", "--quiet")
    return folder


@pytest.fixture
def pinned(repository: Path) -> str:
    """The commit that recipes name; the branch has gone on since."""
    first = commit(repository, "first")
    (repository / "tiny" / "__init__.py").write_text("VALUE = 13\n")
    commit(repository, "second")
    return first


def tree_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes(),  # noqa: PTH115
        )
        for path in sorted(folder.rglob("*"))
        if (path.is_file() or path.is_symlink()) and path.name != "bskernel-done"
    }


def taken(place: str, source: GitSource, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache.mkdir()
    monkeypatch.setenv(source.variable, place)
    return ensure_tree(source, "tiny@1", cache, lambda _: None)


def test_the_tree_is_the_commit_s_from_wherever_it_is_taken(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = GitSource(name="tiny", commit=pinned)
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(bare))
    places = {"folder": str(repository), "bare": str(bare), "url": f"file://{repository}"}
    trees = {
        name: tree_of(taken(place, source, tmp_path / f"cache-{name}", monkeypatch)) for name, place in places.items()
    }
    assert trees["folder"] == trees["bare"] == trees["url"]
    assert trees["folder"]["tiny/__init__.py"][1] == b"VALUE = 42\n"


def test_no_attribute_of_git_alters_the_tree(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tree_of(taken(str(repository), GitSource(name="tiny", commit=pinned), tmp_path / "cache", monkeypatch))
    assert tree["data/deep/table.txt"][1] == b"$Format:%H$\n"
    assert tree["link"][1] == b"data/deep/table.txt"
    assert tree["tool"][0] & 0o111
    assert not tree["tiny/__init__.py"][0] & 0o111


def test_a_source_that_nobody_gives_says_what_to_set(tmp_path: Path) -> None:
    source = GitSource(name="my-lib", commit="a" * 40)
    with pytest.raises(EnvironmentLacking) as caught:
        ensure_tree(source, "tiny@1", tmp_path, print)
    assert caught.value.message == f"tiny@1: source my-lib at commit {'a' * 12}: no repository is set"
    assert caught.value.hint == (
        f"set BSKERNEL_SOURCE_MY_LIB to a git repository (a folder or a URL) with commit {'a' * 40}"
    )


@pytest.mark.parametrize(
    ("place", "needle"),
    [("nosuch", "no such folder: "), ("repository", "is not a git repository with that commit"),
     ("file:///nosuch/repository.git", "git cannot fetch it from")],
)  # fmt: skip
def test_a_place_that_has_not_the_commit_is_named(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, needle: str
) -> None:
    where = place if "://" in place else str(tmp_path / place)
    with pytest.raises(EnvironmentLacking) as caught:
        taken(where, GitSource(name="tiny", commit="b" * 40), tmp_path / "cache", monkeypatch)
    assert needle in caught.value.message
    assert "BSKERNEL_SOURCE_TINY" in str(caught.value.hint)
    assert not list((tmp_path / "cache").glob("sources/*/*"))


def test_an_object_that_was_altered_is_refused(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = git(repository, "rev-parse", f"{pinned}:tiny/__init__.py")
    path = repository / ".git" / "objects" / identifier[:2] / identifier[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 11\0VALUE = 66\n"))
    with pytest.raises(EnvironmentLacking, match="git cannot fetch it"):
        taken(str(repository), GitSource(name="tiny", commit=pinned), tmp_path / "cache", monkeypatch)


def test_a_link_that_leaves_the_tree_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "out").symlink_to("../../etc/passwd")
    source = GitSource(name="tiny", commit=commit(repository, "link"))
    with pytest.raises(EnvironmentLacking, match="its file out is a link out of the tree"):
        taken(str(repository), source, tmp_path / "cache", monkeypatch)


def recipe_with(folder: Path, text: str) -> Recipe:
    """A recipe of its own with those sources."""
    image = folder / "images" / "testing" / "1"
    image.mkdir(parents=True)
    for name in ("protocol", "executors", "docker"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "testing_executor").symlink_to(ROOT / "tests" / "testing_executor")
    for name in ("image.toml", "requirements.lock"):
        shutil.copyfile(ROOT / "tests" / "testing_executor" / name, image / name)
    with (image / "image.toml").open("a") as file:
        file.write(text)
    (recipe,) = find_recipes(folder)
    return recipe


def source_table(commit: str, more: str = "") -> str:
    return f'\n[[source]]\nname = "tiny"\ncommit = "{commit}"\n{more}\n'


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        (source_table("abc"), "not 40 hexadecimal digits"),
        (source_table("a" * 40, "build = false"), "has no effect: set build, keep or path"),
        (source_table("a" * 40, 'branch = "main"'), "unknown key 'branch'"),
        (source_table("a" * 40) + source_table("b" * 40), "two sources have the same name"),
    ],
)
def test_a_source_that_says_nothing_certain_is_refused(tmp_path: Path, text: str, needle: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe_with(tmp_path / "checkout", text)
    assert needle in caught.value.message
    assert "image.toml" in caught.value.message


def test_the_digest_is_of_the_commit_not_of_the_place(tmp_path: Path) -> None:
    def digest(name: str, text: str) -> str:
        return recipe_with(tmp_path / name, text).digest

    plain = digest("plain", "")
    one = digest("one", source_table("a" * 40))
    assert one == digest("url", source_table("a" * 40, 'url = "https://example.com/tiny.git"'))
    assert (
        len(
            {
                plain,
                one,
                digest("commit", source_table("b" * 40)),
                digest("keep", source_table("a" * 40, "keep = true")),
            }
        )
        == 4
    )


def test_what_is_not_here_is_known_before_anything_is_made(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_with(tmp_path / "checkout", source_table(pinned))
    assert "no repository is set" in str(why_not_here(recipe, tmp_path))
    monkeypatch.setenv("BSKERNEL_SOURCE_TINY", str(repository))
    assert why_not_here(recipe, tmp_path) is None
    monkeypatch.setenv("BSKERNEL_SOURCE_TINY", "https://example.com/tiny.git")
    assert why_not_here(recipe, tmp_path) is None  # only the network could tell


def test_a_source_is_built_and_kept_in_the_environment_without_a_trace_of_where(
    repository: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = 'version = "7.7"\nkeep = true\npath = ["data"]'
    recipe = recipe_with(tmp_path / "checkout", source_table(pinned, more))
    monkeypatch.setenv("BSKERNEL_SOURCE_TINY", str(repository))
    environment = ensure_environment(recipe, tmp_path / "cache", print)
    script = (
        "import sys, tiny, mine, importlib.metadata as m;"
        "print(tiny.VALUE, m.entry_points(group='tiny.plugins')['version'].value);"
        "print(mine.WHERE == sys.prefix + '/src/tiny/data/mine.py')"
    )
    done = subprocess.run([str(environment.python), "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["42", "tiny:7.7", "True"]
    venv = environment.python.parents[1]
    assert not (venv / "src" / "tiny" / "litter").exists()
    # The wheel's own files; an installer that was given a path would note it.
    installed = venv / "lib" / "python3.11" / "site-packages" / "tiny-1.0.dist-info"
    assert not (installed / "direct_url.json").exists()
    for path in (*installed.iterdir(), installed.parent / "bskernel-tiny.pth"):
        assert str(tmp_path).encode() not in path.read_bytes(), path
