"""Kills: the kernel, its servers, its keepers, at each operation and at any time; builds, several at once, sweeps."""

import contextlib
import functools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from support import kill_points

from chaos import invariants, sweeps
from chaos.kind import Kind, Trial, Violation
from chaos.site import Site

# Whatever command comes next removes what a killed one has left.
NEXT: Sequence[tuple[str, ...]] = (
    ("run", "build.toml"),
    ("plan", "build.toml"),
    ("store", "stat"),
    ("store", "check"),
    ("doctor",),
    ("down",),
)
LONGEST_S = 2.0  # a build takes about a second; a kill comes within this time


def _after(trial: Trial, project: Path, cache: Path, runtime: str = "process") -> None:
    """What must hold after a kill: any next command removes the rest, and the next run is right."""
    command = trial.rng.choice(NEXT)
    trial.item = f"{trial.item}, then bskernel {' '.join(command)}"
    if command[0] != "run":
        invariants.proper(trial.site.run(project, cache, *command, runtime=runtime))
        invariants.nothing_runs()
        invariants.nothing_lies_around(cache)
    invariants.the_next_run_is_right(trial, project, cache, runtime=runtime)
    invariants.nothing_is_unknown(trial, project, cache)


def _fresh(trial: Trial) -> tuple[Path, Path]:
    return trial.site.write_project(trial.folder / "project"), trial.site.new_cache(trial.folder / "cache")


@functools.cache
def _operations(site: Site, command: tuple[str, ...]) -> int:
    """How many operations a command has, from an empty cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project, cache = site.write_project(folder / "project"), site.new_cache(folder / "cache")
        count = kill_points.count_operations(
            command, cache=cache, cwd=project, variables=site.variables(cache), scratch=folder / "count"
        )
        invariants.end_descendants()
    return count


def at_operation(trial: Trial, victim: kill_points.Victim) -> None:
    """Kill at an operation of one build."""
    site = trial.site
    command = ("run", "build.toml", *(("--keep-warm", "1m") if victim == "keepers" else ()))
    count = _operations(site, command)
    # As many trials as there are operations try each once.
    at = trial.deal(range(1, count + 1))
    trial.item = f"{victim} at operation {at} of {count}"
    project, cache = _fresh(trial)
    done = kill_points.run_until(
        at, command, cache=cache, cwd=project, variables=site.variables(cache), victim=victim, timeout_s=120
    )
    if victim != "kernel":
        trial.require(done.returncode in {0, 3}, f"exit {done.returncode}: {done.stderr[-500:]}")
        trial.require("Traceback" not in done.stderr, f"a traceback: {done.stderr[-800:]}")
        invariants.proper(site.run(project, cache, "down"))
    _after(trial, project, cache)


def kernel_at_any_time(trial: Trial, signum: signal.Signals, runtime: str) -> None:
    """Signal the kernel of one build after a random time."""
    project, cache = _fresh(trial)
    kernel = trial.site.start(project, cache, "run", "build.toml", runtime=runtime)
    seconds = trial.rng.uniform(0, LONGEST_S if runtime == "process" else 3 * LONGEST_S)
    time.sleep(seconds)
    kernel.send_signal(signum)
    trial.item = f"{signum.name} after {seconds:.3f} s"
    try:
        code = kernel.wait(30)
    except subprocess.TimeoutExpired:
        raise Violation("the kernel did not end within 30 s of the signal", "hang") from None
    if signum != signal.SIGKILL:
        done = trial.site.finished(Path(trial.folder / "cache"), code, seconds, "run", "build.toml")
        # Before its first line Python knows no other answer to SIGTERM, and none but KeyboardInterrupt to SIGINT.
        trial.require(code in {0, 130, -signum}, f"exit {code} after {signum.name}: {done}")
        if code in {0, 130}:
            invariants.nothing_runs(2)
            invariants.nothing_lies_around(cache)
    _after(trial, project, cache, runtime)


def something_of_the_build(trial: Trial, signum: signal.Signals) -> None:
    """Signal a random process below the kernel: its server, a step, one that waits to become a step."""
    project, cache = _fresh(trial)
    kernel = trial.site.start(project, cache, "run", "build.toml")
    while kernel.poll() is None and len(invariants.descendants()) < 2:
        time.sleep(0.01)
    time.sleep(trial.rng.uniform(0, LONGEST_S))
    below = [pid for pid in invariants.descendants() if pid != kernel.pid]
    victims = trial.rng.sample(below, min(len(below), trial.rng.choice((1, 1, 2, 5))))
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
    trial.item = f"{signum.name} to {len(victims)} of {len(below)} processes below the kernel"
    started = time.monotonic()
    try:
        code: int | None = kernel.wait(90)
    except subprocess.TimeoutExpired:
        code = None
    done = trial.site.finished(cache, code, time.monotonic() - started, "run", "build.toml")
    if code is None:
        kernel.kill()
        kernel.wait()
    if invariants.proper(done, {0, 3}).code == 0:
        invariants.the_build_is_right(trial, project)
    invariants.nothing_runs()
    invariants.nothing_lies_around(cache)
    _after(trial, project, cache)


def warm(trial: Trial, signum: signal.Signals) -> None:
    """Signal the keeper of a warm session, its server, or the kernel that uses it; then run and take it down."""
    site, rng = trial.site, trial.rng
    project, cache = _fresh(trial)
    invariants.proper(site.run(project, cache, "up", "chaos"), {0})
    kernel = site.start(project, cache, "run", "build.toml")
    time.sleep(rng.uniform(0.1, 1.0))
    who = rng.choice(("keeper", "server", "kernel", "any"))
    if who == "kernel":
        victims = [kernel.pid]
    else:
        below = [pid for pid in invariants.descendants() if pid != kernel.pid]
        marked = {pid for pid in below if b"bskernel.runtime.warm" in _command(pid)}
        servers = {pid for pid in below if b"bskernel_executors.sdk" in _command(pid)}
        victims = sorted({"keeper": marked, "server": servers, "any": set(below)}[who])
        victims = rng.sample(victims, min(len(victims), 1))
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
    trial.item = f"{signum.name} to {who}"
    try:
        kernel.wait(60)
    except subprocess.TimeoutExpired:
        if who != "kernel":
            raise Violation(f"the build did not end within 60 s of a {signum.name} to its {who}", "hang") from None
        kernel.kill()
        kernel.wait()
    started = time.monotonic()
    invariants.the_session_ends(trial, project, cache)
    trial.require(time.monotonic() - started < 40, f"the next run and down took {time.monotonic() - started:.0f} s")
    _after(trial, project, cache)


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def several(trial: Trial) -> None:
    """Four builds with one cache, some of which are killed: the others are right."""
    site, rng = trial.site, trial.rng
    cache = site.new_cache(trial.folder / "cache")
    projects = [site.write_project(trial.folder / f"project{number}") for number in range(4)]
    kernels = []
    for project in projects:
        kernels.append(site.start(project, cache, "run", "build.toml"))
        time.sleep(rng.uniform(0, 0.2))
    doomed = rng.sample(range(4), rng.choice((1, 2, 3)))
    for number in doomed:
        time.sleep(rng.uniform(0, 0.5))
        kernels[number].kill()
    trial.item = f"{len(doomed)} of 4 kernels killed"
    for number, kernel in enumerate(kernels):
        try:
            code = kernel.wait(90)
        except subprocess.TimeoutExpired:
            raise Violation("a build beside killed ones did not end within 90 s", "hang") from None
        if number not in doomed:
            trial.require(code == 0, f"a build beside killed ones ended with {code}")
            invariants.the_build_is_right(trial, projects[number])
    _after(trial, projects[0], cache)


def killed_sweep(trial: Trial) -> None:
    """A sweep is killed and run again: its points are those of an undisturbed one."""
    project, cache = trial.site.write_project(trial.folder / "project", sweeps.SWEEP), trial.folder / "cache"
    kernel = trial.site.start(project, trial.site.new_cache(cache), "sweep", "build.toml")
    seconds = trial.rng.uniform(0.1, 2 * LONGEST_S)
    time.sleep(seconds)
    kernel.kill()
    kernel.wait()
    trial.item = f"kernel after {seconds:.3f} s"
    sweeps.the_sweep_is_right(trial, project, cache)
    trial.site.write_project(project)
    _after(trial, project, cache)


_VOLUMES = {
    "kernel-at-operation": 600,
    "kernel": 250,
    "executor": 100,
    "warm": 75,
    "several": 50,
    "sweep": 25,
    "kernel-docker": 200,
}


def _kind(name: str, promise: str, attempt: Callable[[Trial], None], tries: int, *, container: bool = False) -> Kind:
    return Kind(
        name=f"kills/{name}",
        promise=promise,
        attempt=attempt,
        tries=tries,
        volume=_VOLUMES.get(name, 0),
        container=container,
    )


KINDS = [
    _kind(
        "kernel-at-operation",
        "after kill -9 of the kernel at any operation, the next command removes what is left",
        lambda trial: at_operation(trial, "kernel"),
        4,
    ),
    _kind(
        "servers-at-operation",
        "when an executor dies at any operation of the kernel, its step fails, or runs again",
        lambda trial: at_operation(trial, "servers"),
        2,
    ),
    _kind(
        "keepers-at-operation",
        "when a keeper dies at any operation of the kernel, the build goes on",
        lambda trial: at_operation(trial, "keepers"),
        1,
    ),
    _kind(
        "kernel",
        "after kill -9 of the kernel at any time, the next command removes what is left",
        lambda trial: kernel_at_any_time(trial, signal.SIGKILL, "process"),
        2,
    ),
    _kind(
        "interrupted",
        "an interrupted build ends at once, with 130, and leaves nothing",
        lambda trial: kernel_at_any_time(trial, trial.rng.choice((signal.SIGINT, signal.SIGTERM)), "process"),
        2,
    ),
    _kind(
        "executor",
        "when a process of an executor dies, its step fails or runs again",
        lambda trial: something_of_the_build(trial, signal.SIGKILL),
        2,
    ),
    _kind(
        "executor-stopped",
        "when a process of an executor is stopped, the build ends",
        lambda trial: something_of_the_build(trial, signal.SIGSTOP),
        0,
    ),
    _kind("warm", "a build survives its warm session's end", lambda trial: warm(trial, signal.SIGKILL), 1),
    _kind(
        "warm-stopped",
        "a warm session that is stopped costs a build seconds, not minutes",
        lambda trial: warm(trial, signal.SIGSTOP),
        0,
    ),
    _kind("several", "builds beside killed ones are right", several, 1),
    _kind("sweep", "a killed sweep goes on", killed_sweep, 1),
    _kind(
        "kernel-docker",
        "after kill -9 of the kernel at any time, no container is left after the next command",
        lambda trial: kernel_at_any_time(trial, signal.SIGKILL, "docker"),
        1,
        container=True,
    ),
    _kind(
        "interrupted-docker",
        "an interrupted build ends at once, and leaves no container",
        lambda trial: kernel_at_any_time(trial, signal.SIGTERM, "docker"),
        1,
        container=True,
    ),
]
