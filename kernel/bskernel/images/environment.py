"""The environment of an executor on this machine: a virtual environment from its lock, and its sources."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bskernel.errors import ConfigError, EnvironmentLacking
from bskernel.images.recipe import PLATFORM, Edit, Recipe

_DONE = "bskernel-done"


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter, and the folder of sources for PYTHONPATH."""

    python: Path
    code: Path


@contextlib.contextmanager
def _made_once(folder: Path) -> Iterator[Path | None]:
    """Yield a temporary folder to fill, or None when `folder` is made already; then move it into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _DONE).exists():
            yield None
            return
        shutil.rmtree(folder, ignore_errors=True)
        for stale in folder.parent.glob(f"{folder.name}.new-*"):
            shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(f"{folder}.new-{uuid.uuid4().hex[:8]}")
        try:
            yield temporary
            (temporary / _DONE).touch()
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _uv(*arguments: str) -> None:
    import uv

    command = [uv.find_uv_bin(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise EnvironmentLacking(
            f"uv {' '.join(arguments[:2])} failed: {' '.join(lines[-6:])}",
            hint="it needs Python 3.11 and, at first, a package index (a private one: UV_INDEX_URL, SSL_CERT_FILE)",
        )


def _apply(edit: Edit, site: Path, recipe: Recipe) -> None:
    path = site / edit.file
    where = f"{recipe.folder / 'image.toml'}: edit of {edit.file}"
    if not path.is_file():
        raise ConfigError(f"{where}: the lock installs no such file")
    text = path.read_text(encoding="utf-8")
    if text.count(edit.find) != 1:
        raise ConfigError(f"{where}: its text occurs {text.count(edit.find)} times, not once", hint=edit.reason)
    # A hard link into the installer's cache must not be written through.
    path.unlink()
    path.write_text(text.replace(edit.find, edit.replace), encoding="utf-8")


def ensure_environment(recipe: Recipe, cache: Path, report: Callable[[str], None]) -> Environment:
    """Make the environment if it is not there: whole or not at all, once for all builds of this machine.

    Raises EnvironmentLacking when it cannot be made, ConfigError when an edit no longer matches.
    """
    venv = cache / "envs" / recipe.environment_digest
    code = cache / "code" / recipe.code_digest
    if not (venv / _DONE).exists():
        with _made_once(venv) as folder:
            if folder is not None:
                report(f"making the environment of {recipe.name} from its lock (once)")
                _uv("venv", "--quiet", "--relocatable", "--python", recipe.file.python, str(folder))
                python = str(folder / "bin" / "python")
                _uv(
                    "pip",
                    "sync",
                    "--quiet",
                    "--require-hashes",
                    "--compile-bytecode",
                    "--python-platform",
                    PLATFORM,
                    "--python",
                    python,
                    str(recipe.lock),
                )
                for edit in recipe.file.edit:
                    _apply(edit, folder / "lib" / f"python{recipe.file.python}" / "site-packages", recipe)
    if not (code / _DONE).exists():
        with _made_once(code) as folder:
            if folder is not None:
                for name, path in recipe.source_files():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, folder / name)
    return Environment(python=venv / "bin" / "python", code=code)


def cache_folder() -> Path:
    """BSKERNEL_CACHE, or bskernel in the user's cache folder."""
    named = os.environ.get("BSKERNEL_CACHE")
    if named:
        return Path(named).resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bskernel"


def is_made(recipe: Recipe, cache: Path) -> bool:
    """Is the recipe's environment on this machine already?"""
    return (cache / "envs" / recipe.environment_digest / _DONE).exists()
