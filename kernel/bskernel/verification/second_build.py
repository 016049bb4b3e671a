"""Runs a laid-out build by a bskernel of its own, with a cache that has no result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bskernel.core.errors import EXIT_OK, EXIT_STEP_FAILED, BskernelError, ConfigError, EnvironmentLacking
from bskernel.verification.variation import Surroundings

_SHARED = (
    "envs",
    "code",
    "bases",
    "packages",
    "git",
    "tools",
)  # of a cache: what executors are made of, but no result


_PROGRAM = "from bskernel.cli import program; program()"


class SecondBuildFailed(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """The second build did not run: its own message has said why, and its exit code is this one's."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("the second build did not run", hint="its own message says why")
        self.exit_code = exit_code


def check_surroundings(surroundings: Surroundings) -> None:
    """Raise EnvironmentLacking where this machine cannot vary the user."""
    if not surroundings.prefix:
        return
    try:
        done = subprocess.run([*surroundings.prefix, "true"], capture_output=True, text=True, check=False)
        why = done.stderr.strip() if done.returncode else None
    except OSError as error:
        why = str(error)
    if why is not None:
        raise EnvironmentLacking(
            f"--vary user: no other user can be had here: {why}",
            hint="it needs util-linux 2.38 and user namespaces: leave `user` out, or verify as another user",
        )


def make_fresh_cache(folder: Path, cache: Path) -> None:
    """Make a cache that shares the environments of another, and none of its results."""
    folder.mkdir(parents=True)
    for name in _SHARED:
        (cache / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(cache / name)


def run_second_build(
    config: Path, output: Path, cache: Path, surroundings: Surroundings, *, runtime: str, settings: Sequence[str]
) -> None:
    """Run the build of a configuration, held to the lock beside it. A step that fails is a result.

    Raises SecondBuildFailed.
    """
    command = [sys.executable, "-c", _PROGRAM, "run", str(config), "--locked", "--fresh", "--runtime", runtime]
    command += ["--output", str(output), *(part for setting in settings for part in ("--set", setting))]
    environment = {**os.environ, **surroundings.variables, "BSKERNEL_CACHE": str(cache), "BSKERNEL_STORE": "none"}
    done = subprocess.run(
        [*surroundings.prefix, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=False,
        umask=-1 if surroundings.umask is None else surroundings.umask,
        preexec_fn=(lambda: _limit_processors(surroundings)) if surroundings.processors is not None else None,
    )
    if done.returncode not in {EXIT_OK, EXIT_STEP_FAILED}:
        raise SecondBuildFailed(done.returncode if done.returncode > 0 else ConfigError.exit_code)


def _limit_processors(surroundings: Surroundings) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, allowed[-(surroundings.processors or len(allowed)) :])
