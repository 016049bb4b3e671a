"""What is measured on: a bskernel with the tests' arithmetic executor, and one with FINN."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

from bskernel.config.reader import WRITER
from bskernel.images import find_recipes
from bskernel.images.description import describe
from bskernel.images.environment import cache_folder

ROOT = Path(__file__).resolve().parents[1]
BSKERNEL = Path(sys.executable).parent / "bskernel"


class Ground:
    """A folder to build in, with a cache of its own whose environments are made already."""

    def __init__(self, folder: Path, runtime: str, *, root: Path = ROOT) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.cache.mkdir(parents=True)
        self._aside = 0
        for name in ("envs", "code"):
            (cache_folder() / name).mkdir(parents=True, exist_ok=True)
            (self.cache / name).symlink_to(cache_folder() / name)
        self.env = {"BSKERNEL_ROOT": str(root), "BSKERNEL_CACHE": str(self.cache), "BSKERNEL_RUNTIME": runtime}

    def forget(self) -> None:
        """Nothing has been built."""
        for name in ("actions", "blobs", "incoming"):
            self.put_aside(self.cache / name)

    def put_aside(self, path: Path) -> None:
        """As if it had never been there: what is removed slows what comes next on some file systems, for a minute."""
        self._aside += 1
        aside = self.folder / "aside" / str(self._aside)
        aside.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)

    def command(self, config: Path, *more: str) -> list[str]:
        """`bskernel run` of a config in this folder, into the folder of all its configs."""
        out = self.folder / "out"
        with contextlib.suppress(FileNotFoundError):
            # A build replaces no results of another configuration that is still there.
            if (out / (out / WRITER).read_text(encoding="utf-8")).resolve() != config.resolve():
                (out / WRITER).unlink()
        return [str(BSKERNEL), "run", str(config), "--output", str(out), *more]


def arithmetic_root(folder: Path) -> Path:
    """A checkout-like folder that knows the tests' executor alone, which does next to nothing per step."""
    image = folder / "images" / "testing" / "1"
    image.mkdir(parents=True)
    for name in ("protocol", "executors", "docker"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "testing_executor").symlink_to(ROOT / "tests" / "testing_executor")
    for name in ("image.toml", "requirements.lock"):
        shutil.copyfile(ROOT / "tests" / "testing_executor" / name, image / name)
    (image / "catalogue.json").write_text(describe(find_recipes(folder)[0], cache_folder(), print), encoding="utf-8")
    return folder


def steps(folder: Path, count: int, *, chained: bool, last: int = 1, entry: str = "add") -> Path:
    """A config of `count` additions, each to the one before or all to one number; `last` is what the last adds."""
    (folder / "number.txt").write_text("5", encoding="utf-8")
    config = folder / f"{entry}-{'chain' if chained else 'independent'}-{count}-{last}.toml"
    lines: list[str] = ['[build]\nname = "bench"\nmodel = "number.txt"\n']
    for at in range(count):
        adds = last if at == count - 1 else at
        inputs = "" if chained else 'inputs = { model = "number.txt" }\n'
        lines.append(
            f'[[step]]\nname = "s{at}"\nentry = "testing:{entry}"\nparameters = {{ number = {adds} }}\n{inputs}'
        )
    config.write_text("".join(lines), encoding="utf-8")
    return config
