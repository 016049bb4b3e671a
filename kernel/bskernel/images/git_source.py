"""A git repository at one commit, as part of a recipe. The commit identifies the content, whatever the repository.

Git checks the hash of every object that it fetches, and the files are written from those objects directly: no git
attribute, filter or user setting affects them. So the tree is the commit's, from any repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.host.temporary import mark
from bskernel.images.atomic_dir import DONE, atomic_dir

if TYPE_CHECKING:
    import subprocess

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_URL = re.compile(r"[a-z+]+://|[\w.-]+@[\w.-]+:")
_LINK, _SUBMODULE = "120000", "160000"


class GitSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One [[source]] of image.toml."""

    name: str
    commit: str
    url: str | None = None  # the repository, unless the user sets another; not part of the digest
    build: bool = True  # build and install a wheel without dependencies, with the build backend from the lock
    version: str | None = None  # for build backends that would take it from git
    keep: bool = False  # copy the whole tree to src/NAME of the environment
    path: tuple[str, ...] = ()  # folders of the tree to add to sys.path; implies keep

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"source name {self.name!r}: only lower-case letters, digits and dashes are allowed")
        if not _COMMIT.fullmatch(self.commit):
            raise ValueError(f"source {self.name}: commit {self.commit!r} is not 40 hexadecimal digits")
        if not (self.build or self.keep or self.path):
            raise ValueError(f"source {self.name}: has no effect: set build, keep or path")

    @property
    def variable(self) -> str:
        """The environment variable that names another repository with the commit."""
        return f"BSKERNEL_SOURCE_{self.name.upper().replace('-', '_')}"

    @property
    def content(self) -> list[object]:
        """Everything about the source that can change an environment; part of its digest."""
        return [self.name, self.commit, self.build, self.version, self.keep, list(self.path)]

    @property
    def repository(self) -> str | None:
        """The folder or URL of the repository to fetch from, None when none is set."""
        return os.environ.get(self.variable) or self.url

    def missing(self, recipe: str, why: str) -> EnvironmentLacking:
        """The error for a source that is not available."""
        return EnvironmentLacking(
            f"{recipe}: source {self.name} at commit {self.commit[:12]}: {why}",
            hint=f"set {self.variable} to a git repository (a folder or a URL) with commit {self.commit}",
        )


def _git_environment() -> dict[str, str]:
    dropped = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"}
    inherited = {key: value for key, value in os.environ.items() if key not in dropped}
    return inherited | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    import subprocess

    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=_git_environment(),
    )


def _is_made(source: GitSource, cache: Path) -> bool:
    return (cache / "sources" / source.commit / DONE).exists()


def why_no_tree(source: GitSource, recipe: str, cache: Path) -> EnvironmentLacking | None:
    """Why the tree is not available here, as far as known without the network; None if nothing prevents it."""
    import shutil

    if _is_made(source, cache):
        return None
    if shutil.which("git") is None:
        return source.missing(recipe, "git is not installed")
    repository = source.repository
    if repository is None:
        return source.missing(recipe, "no repository is set")
    if _URL.match(repository):
        return None
    folder = Path(repository).expanduser()
    if not folder.is_dir():
        return source.missing(recipe, f"no such folder: {folder}")
    if _git(folder, "cat-file", "-e", f"{source.commit}^{{commit}}").returncode:
        return source.missing(recipe, f"{folder} is not a git repository with that commit")
    return None


def ensure_tree(source: GitSource, recipe: str, cache: Path, report: Callable[[str], None]) -> Path:
    """The folder of the commit's tree, in the cache. Raises EnvironmentLacking, naming the variable to set."""
    import tempfile

    target = cache / "sources" / source.commit
    problem = why_no_tree(source, recipe, cache)
    if problem is not None:
        raise problem
    with atomic_dir(target, report) as folder:
        if folder is not None:
            repository = str(source.repository)
            report(f"fetching source {source.name} of {recipe} at {source.commit[:12]} from {repository} (once)")
            folder.mkdir()
            with tempfile.TemporaryDirectory(dir=cache, prefix="git-", suffix=mark()) as scratch:
                _fetch(source, recipe, repository, Path(scratch))
                for name, mode, data in _files(source, recipe, Path(scratch)):
                    _write(source, recipe, folder, name, mode, data)
    return target


def _fetch(source: GitSource, recipe: str, origin: str, repository: Path) -> None:
    where = origin if _URL.match(origin) else str(Path(origin).expanduser().resolve())
    for arguments in (
        ("init", "--quiet", "--bare"),
        ("fetch", "--quiet", "--no-tags", "--depth", "1", where, source.commit),
    ):
        done = _git(repository, *arguments)
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise source.missing(recipe, f"git cannot fetch it from {origin}: {' '.join(lines[-3:])}")


def _files(source: GitSource, recipe: str, repository: Path) -> Iterator[tuple[str, str, bytes]]:
    """The path, git mode and content of every file."""
    import subprocess

    listed = _git(repository, "ls-tree", "-r", "-z", "--full-tree", source.commit)
    if listed.returncode:
        raise source.missing(recipe, listed.stderr.decode("utf-8", "replace").strip())
    entries = []
    for entry in filter(None, listed.stdout.split(b"\0")):
        description, _, path = entry.partition(b"\t")
        mode, _, identifier = description.decode("ascii").split()
        # A submodule is another repository and needs its own [[source]].
        if mode != _SUBMODULE:
            entries.append((os.fsdecode(path), mode, identifier))
    requests = repository / "requests"
    requests.write_text("".join(f"{identifier}\n" for _, _, identifier in entries), encoding="ascii")
    with requests.open("rb") as stdin:
        command = ["git", "-C", str(repository), "cat-file", "--batch"]
        child = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, env=_git_environment())
        with child, cast("IO[bytes]", child.stdout) as answers:
            for name, mode, identifier in entries:
                head = answers.readline().split()
                if len(head) != 3:
                    raise source.missing(recipe, f"git has no object {identifier} ({name})")
                yield name, mode, answers.read(int(head[2]))
                answers.read(1)


def _write(source: GitSource, recipe: str, folder: Path, name: str, mode: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == _LINK:
        target = Path(os.path.normpath(path.parent / os.fsdecode(data)))
        if not target.is_relative_to(folder):
            raise source.missing(recipe, f"its file {name} is a link out of the tree")
        path.symlink_to(os.fsdecode(data))
        return
    path.write_bytes(data)
    path.chmod(0o755 if mode == "100755" else 0o644)
