"""A git repository at one commit, as part of a recipe: the commit names the content, whoever the bytes come from.

Git checks the hash of every object that it fetches, and the files are written from those objects themselves: no
attribute, filter or setting of the user's git has a say. So the tree is that of the commit, from any repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from bskernel.core.errors import EnvironmentLacking
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
    url: str | None = None  # where it is fetched from when the user names no other place; not in the digest
    build: bool = True  # into a wheel, without its dependencies, by the build backend that the lock installs
    version: str | None = None  # for build backends that would ask git for it
    keep: bool = False  # lay the whole tree at src/NAME of the environment
    path: tuple[str, ...] = ()  # folders of the tree that Python imports from; the tree is kept

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"source name {self.name!r}: lower-case letters, digits and dash only")
        if not _COMMIT.fullmatch(self.commit):
            raise ValueError(f"source {self.name}: commit {self.commit!r} is not the 40 hexadecimal digits of one")
        if not (self.build or self.keep or self.path):
            raise ValueError(f"source {self.name}: build it, keep it, or name a path, else it has no effect")

    @property
    def variable(self) -> str:
        """The environment variable that names a repository which has the commit."""
        return f"BSKERNEL_SOURCE_{self.name.upper().replace('-', '_')}"

    @property
    def content(self) -> list[object]:
        """All that may change what the source makes of an environment."""
        return [self.name, self.commit, self.build, self.version, self.keep, list(self.path)]

    @property
    def place(self) -> str | None:
        """The repository that it is fetched from, or None when nobody names one."""
        return os.environ.get(self.variable) or self.url

    def lacking(self, recipe: str, why: str) -> EnvironmentLacking:
        """The error of a source that cannot be had."""
        return EnvironmentLacking(
            f"{recipe}: source {self.name} at commit {self.commit[:12]}: {why}",
            hint=f"set {self.variable} to a git repository (a folder or a URL) that has the commit {self.commit}",
        )


def _surroundings() -> dict[str, str]:
    mine = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"}
    kept = {key: value for key, value in os.environ.items() if key not in mine}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    import subprocess

    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=_surroundings(),
    )


def _is_made(source: GitSource, cache: Path) -> bool:
    return (cache / "sources" / source.commit / DONE).exists()


def why_no_tree(source: GitSource, recipe: str, cache: Path) -> EnvironmentLacking | None:
    """Why the tree cannot be had here, as far as that is known without the network."""
    import shutil

    if _is_made(source, cache):
        return None
    if shutil.which("git") is None:
        return source.lacking(recipe, "there is no git")
    place = source.place
    if place is None:
        return source.lacking(recipe, "no repository is named")
    if _URL.match(place):
        return None
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return source.lacking(recipe, f"there is no folder {folder}")
    if _git(folder, "cat-file", "-e", f"{source.commit}^{{commit}}").returncode:
        return source.lacking(recipe, f"{folder} is no git repository that has it")
    return None


def ensure_tree(source: GitSource, recipe: str, cache: Path, report: Callable[[str], None]) -> Path:
    """The commit's tree under the cache. Raises EnvironmentLacking with what to set."""
    import tempfile

    target = cache / "sources" / source.commit
    lacking = why_no_tree(source, recipe, cache)
    if lacking is not None:
        raise lacking
    with atomic_dir(target) as folder:
        if folder is not None:
            place = str(source.place)
            report(f"taking source {source.name} of {recipe} at {source.commit[:12]} from {place} (once)")
            folder.mkdir()
            with tempfile.TemporaryDirectory(dir=cache, prefix="git-") as scratch:
                _fetch(source, recipe, place, Path(scratch))
                for name, mode, data in _files(source, recipe, Path(scratch)):
                    _write(source, recipe, folder, name, mode, data)
    return target


def _fetch(source: GitSource, recipe: str, place: str, repository: Path) -> None:
    where = place if _URL.match(place) else str(Path(place).expanduser().resolve())
    for arguments in (
        ("init", "--quiet", "--bare"),
        ("fetch", "--quiet", "--no-tags", "--depth", "1", where, source.commit),
    ):
        done = _git(repository, *arguments)
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise source.lacking(recipe, f"git cannot fetch it from {place}: {' '.join(lines[-3:])}")


def _files(source: GitSource, recipe: str, repository: Path) -> Iterator[tuple[str, str, bytes]]:
    """Path, git's mode and content of every file."""
    import subprocess

    listed = _git(repository, "ls-tree", "-r", "-z", "--full-tree", source.commit)
    if listed.returncode:
        raise source.lacking(recipe, listed.stderr.decode("utf-8", "replace").strip())
    entries = []
    for entry in filter(None, listed.stdout.split(b"\0")):
        description, _, path = entry.partition(b"\t")
        mode, _, identifier = description.decode("ascii").split()
        # What lies in a submodule is another repository: it would need a [[source]] of its own.
        if mode != _SUBMODULE:
            entries.append((os.fsdecode(path), mode, identifier))
    wanted = repository / "wanted"
    wanted.write_text("".join(f"{identifier}\n" for _, _, identifier in entries), encoding="ascii")
    with wanted.open("rb") as asked:
        command = ["git", "-C", str(repository), "cat-file", "--batch"]
        child = subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, env=_surroundings())
        with child, cast("IO[bytes]", child.stdout) as answers:
            for name, mode, identifier in entries:
                head = answers.readline().split()
                if len(head) != 3:
                    raise source.lacking(recipe, f"git has no object {identifier} ({name})")
                yield name, mode, answers.read(int(head[2]))
                answers.read(1)


def _write(source: GitSource, recipe: str, folder: Path, name: str, mode: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == _LINK:
        target = Path(os.path.normpath(path.parent / os.fsdecode(data)))
        if not target.is_relative_to(folder):
            raise source.lacking(recipe, f"its file {name} is a link that leaves the tree")
        path.symlink_to(os.fsdecode(data))
        return
    path.write_bytes(data)
    path.chmod(0o755 if mode == "100755" else 0o644)
