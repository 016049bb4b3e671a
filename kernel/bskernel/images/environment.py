"""An executor's environment on this machine: a virtual environment made from its lock, and its sources."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.places import cache_place, within
from bskernel.images.atomic_dir import DONE, atomic_dir
from bskernel.images.bytecode import CODE, ENVIRONMENT, compile_below
from bskernel.images.git_source import ensure_tree, why_no_tree
from bskernel.images.recipe import CONSTANT, PLATFORM, Edit, Recipe
from bskernel.images.source_install import install

# PYTHONPATH cannot name a folder with a colon in its path.
_LAUNCHER = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('bskernel_executors.sdk', run_name='__main__', alter_sys=True)"
)


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment's interpreter, and the folder of its sources."""

    python: Path
    code: Path

    @property
    def command(self) -> list[str]:
        """The command that runs `bskernel-executor`, wherever the cache is."""
        return [str(self.python), "-P", "-c", _LAUNCHER, str(self.code)]

    @property
    def programs(self) -> tuple[str, ...]:
        """The folder of its programs for PATH; nothing if its path has a colon, which PATH cannot name either."""
        folder = str(self.python.parent)
        return () if ":" in folder else (folder,)


def run_uv(*arguments: str, folder: str | Path = "/", **variables: str) -> None:
    """Run uv with these arguments and environment variables. Raises EnvironmentLacking with its last lines."""
    # By default not in the current folder: in a project's uv would read its uv.toml and pyproject.toml.
    import subprocess

    import uv

    command = [uv.find_uv_bin(), *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | variables,
        cwd=folder,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise EnvironmentLacking(
            f"uv {' '.join(arguments[:2])} failed: {' '.join(lines[-6:])}",
            hint="uv needs Python 3.11 and, once, a package index (a private one: UV_INDEX_URL, SSL_CERT_FILE)",
        )


def _apply(edit: Edit, site: Path, recipe: Recipe) -> None:
    path = site / edit.file
    where = f"{recipe.folder / 'image.toml'}: edit of {edit.file}"
    if not path.is_file():
        raise ConfigError(f"{where}: the packages of the lock have no such file")
    text = path.read_text(encoding="utf-8")
    if text.count(edit.find) != 1:
        raise ConfigError(
            f"{where}: the text to find occurs {text.count(edit.find)} times, not once", hint=edit.reason
        )
    # The file may be a hard link into uv's cache: replace it instead of writing to it.
    path.unlink()
    path.write_text(text.replace(edit.find, edit.replace), encoding="utf-8")


def make_venv(recipe: Recipe, folder: Path) -> None:
    """Make an empty virtual environment that can be moved. Raises EnvironmentLacking."""
    run_uv("venv", "--quiet", "--relocatable", "--python", recipe.file.python, str(folder))


def ensure_environment(recipe: Recipe, cache: Path, report: Callable[[str], None]) -> Environment:
    """Make the environment unless it exists, atomically and once for all builds on this machine.

    Raises EnvironmentLacking when it cannot be made, ConfigError when an edit no longer matches.
    """
    import shutil

    venv = cache / "envs" / recipe.environment_digest
    code = cache / "code" / recipe.code_digest
    if not (venv / DONE).exists():
        with atomic_dir(venv, report) as folder:
            if folder is not None:
                # Sources first: a missing one is reported before minutes of downloads.
                trees = [ensure_tree(source, recipe.name, cache, report) for source in recipe.file.source]
                report(f"making the environment of {recipe.name} from its lock (once)")
                make_venv(recipe, folder)
                python = str(folder / "bin" / "python")
                run_uv(
                    "pip",
                    "sync",
                    "--quiet",
                    "--require-hashes",
                    "--python-platform",
                    PLATFORM,
                    "--python",
                    python,
                    str(recipe.lock),
                )
                site = folder / "lib" / f"python{recipe.file.python}" / "site-packages"
                for source, tree in zip(recipe.file.source, trees, strict=True):
                    install(source, tree, folder, site, functools.partial(run_uv, **CONSTANT))
                for edit in recipe.file.edit:
                    _apply(edit, site, recipe)
                compile_below(folder, ENVIRONMENT, [str(folder / "bin" / "python")])
    if not (code / DONE).exists():
        with atomic_dir(code, report) as folder:
            if folder is not None:
                for name, path in recipe.source_files():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, folder / name)
                compile_below(folder, CODE, [str(venv / "bin" / "python")])
    return Environment(python=venv / "bin" / "python", code=code)


def absolute(path: Path) -> Path:
    """The path without links. Raises OSError for a loop of links."""
    try:
        return path.resolve()
    except RuntimeError as error:  # Python's word for it
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path.absolute())) from error


def cache_folder() -> Path:
    """The cache folder: BSKERNEL_CACHE, or bskernel in the user's cache folder. Raises EnvironmentLacking."""
    named = os.environ.get("BSKERNEL_CACHE")
    if named:
        with within(cache_place(named)):
            return absolute(Path(named))
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "bskernel"
    except RuntimeError as error:
        hint = "set HOME, or BSKERNEL_CACHE to a folder for the cache"
        raise EnvironmentLacking("the home folder of this user is not known", hint=hint) from error


def is_made(recipe: Recipe, cache: Path) -> bool:
    """True when the recipe's environment exists on this machine."""
    return (cache / "envs" / recipe.environment_digest / DONE).exists()


def why_not_here(recipe: Recipe, cache: Path) -> EnvironmentLacking | None:
    """Why the recipe's environment cannot be made here, as far as known in advance; None if nothing prevents it."""
    if is_made(recipe, cache):
        return None
    problems = (why_no_tree(source, recipe.name, cache) for source in recipe.file.source)
    return next((problem for problem in problems if problem is not None), None)
