"""A bskernel of the campaign's own: recipes, environments, and the project that every trial builds."""

import functools
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from bskernel.images import find_recipes
from bskernel.images.description import describe
from support.paths import ROOT

HERE = Path(__file__).parent
BSKERNEL = str(Path(sys.executable).with_name("bskernel"))
NAME = "sum"
# Two steps side by side, a tree, a large file, numbers: one of everything that a build can make.
PROJECT = f"""
[build]
name = "{NAME}"
model = "number.txt"
[target]
target_fps = 3
[[step]]
name = "sibling"
entry = "chaos:grow"
inputs = {{ model = "number.txt" }}
timeout_s = 30
[[step]]
entry = "chaos:add"
inputs = {{ model = "number.txt" }}
timeout_s = 30
[[step]]
entry = "chaos:weigh"
timeout_s = 30
"""
LIMIT_S = 120.0  # for a command that takes a second on an idle machine
# What a command of a trial may take: enough for any right one, and too little to hurt the machine.
MOST_MEMORY = 4 << 30  # bytes of address space, for each process
MOST_IN_FILE = 300 << 20  # bytes that the kernel may write to one file where only the disk bounds it


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended; `code` is None when it had to be killed at its time limit."""

    command: str
    code: int | None
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.out + self.err

    def __str__(self) -> str:
        """For a finding: the command, how it ended, the end of what it said."""
        end = "did not end" if self.code is None else f"exit {self.code}"
        return f"`{self.command}`: {end} after {self.seconds:.1f} s: {' | '.join(self.said.splitlines()[-6:])[-900:]}"


class Site:
    """A folder with a checkout-like `root` that knows the chaos executor alone, and `environments`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "checkout"
        self.environments = folder / "environments"
        self.program = BSKERNEL
        self._reference = folder / "reference.json"

    def make(self) -> None:
        """Make what is not there yet; the environment takes a while. Raises EnvironmentLacking."""
        image = self.root / "images" / "chaos" / "1"
        stamp = self.folder / "stamp"
        if stamp.exists() and stamp.read_text() == self._version():
            return
        self._reference.unlink(missing_ok=True)
        image.mkdir(parents=True, exist_ok=True)
        links = {name: ROOT / name for name in ("protocol", "executors", "docker")}
        for name, target in (links | {"chaos_executor": HERE / "executor"}).items():
            (self.root / name).unlink(missing_ok=True)
            (self.root / name).symlink_to(target)
        for name in ("image.toml", "requirements.lock"):
            shutil.copy(HERE / "executor" / name, image / name)
        self.environments.mkdir(exist_ok=True)
        text = describe(find_recipes(self.root)[0], self.environments, lambda _: None)
        (image / "catalogue.json").write_text(text)
        stamp.write_text(self._version())

    def _version(self) -> str:
        """What the folder was made from: the executor, and the campaign's own code."""
        code = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
        return f"{find_recipes(self.root)[0].digest} {hashlib.sha256(code).hexdigest()}"

    def has_reference(self) -> bool:
        """True when it is known what an undisturbed build makes."""
        return self._reference.exists()

    def note_reference(self, made: dict[str, dict[str, str]]) -> None:
        """Note what an undisturbed build made."""
        self._reference.write_text(json.dumps(made))

    def reference(self) -> dict[str, dict[str, str]]:
        """What an undisturbed build makes; see `invariants.made_by`."""
        return _read_reference(self._reference)

    def begin_template(self) -> tuple[Path, Path]:
        """An empty project and cache for the undisturbed build, which trials copy."""
        shutil.rmtree(self.folder / "template", ignore_errors=True)
        return self.write_project(self.folder / "template" / "project"), self.new_cache(
            self.folder / "template" / "cache"
        )

    def copy_template(self, folder: Path) -> tuple[Path, Path]:
        """A project that is built, and its cache, with the times that they have."""
        subprocess.run(["cp", "-a", *(self.folder / "template").iterdir(), str(folder)], check=True)
        return folder / "project", folder / "cache"

    def new_cache(self, path: Path) -> Path:
        """An empty cache, but for environments that are made already."""
        path.mkdir(parents=True, exist_ok=True)
        for name in ("envs", "code"):
            if (self.environments / name).exists():
                (path / name).symlink_to(self.environments / name)
        return path

    def write_project(self, folder: Path, text: str = PROJECT) -> Path:
        """A folder with build.toml and the number that builds begin with."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "number.txt").write_text("5")
        (folder / "build.toml").write_text(text)
        return folder

    def variables(self, cache: Path, runtime: str = "process") -> dict[str, str]:
        """The environment variables of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BSKERNEL_", "PYTHON"))}
        return {
            **kept,
            "BSKERNEL_ROOT": str(self.root),
            "BSKERNEL_CACHE": str(cache),
            "BSKERNEL_RUNTIME": runtime,
        }

    def start(
        self,
        project: Path,
        cache: Path,
        *arguments: str,
        runtime: str = "process",
        variables: dict[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a command in the project's folder; what it prints lies beside the cache."""
        out, err = self.printed(cache)
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return subprocess.Popen(
                [BSKERNEL, *arguments],
                cwd=project,
                env=self.variables(cache, runtime) | (variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                preexec_fn=functools.partial(_limit, runtime, before),
            )

    @staticmethod
    def printed(cache: Path) -> tuple[Path, Path]:
        """The files of what the last command with this cache printed."""
        return cache.with_name(f"{cache.name}.out"), cache.with_name(f"{cache.name}.err")

    def run(
        self,
        project: Path,
        cache: Path,
        *arguments: str,
        runtime: str = "process",
        variables: dict[str, str] | None = None,
        before: Callable[[], None] | None = None,
        limit_s: float = LIMIT_S,
    ) -> Finished:
        """Run a command to its end, or kill it at the limit."""
        started = time.monotonic()
        child = self.start(project, cache, *arguments, runtime=runtime, variables=variables, before=before)
        try:
            code: int | None = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            code = None
        return self.finished(cache, code, time.monotonic() - started, *arguments)

    def finished(self, cache: Path, code: int | None, seconds: float, *arguments: str) -> Finished:
        """What is known of a command that `start` began and that has ended."""
        out, err = (path.read_bytes().decode("utf-8", "surrogateescape") for path in self.printed(cache))
        return Finished(command=" ".join(["bskernel", *arguments]), code=code, out=out, err=err, seconds=seconds)


@functools.cache
def _read_reference(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(path.read_text())
    return found


def _limit(runtime: str, before: Callable[[], None] | None) -> None:
    if runtime == "docker":
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_IN_FILE, MOST_IN_FILE))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if before is not None:
        before()
