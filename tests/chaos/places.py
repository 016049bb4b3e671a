"""Places that cannot take more: full disks, read-only folders, few file descriptors, little memory."""

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

from chaos import invariants, mounts
from chaos.kind import Kind, Trial, Violation
from chaos.site import Finished

ENOUGH = 200_000_000  # bytes: more than a build needs
# What may be asked for in such a place; whether it works depends on what there is to write.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "build.toml"),
    ("run", "build.toml"),
    ("run", "build.toml"),
    ("plan", "build.toml"),
    ("explain", "build/sum"),
    ("store", "check"),
    ("store", "gc"),
    ("doctor",),
    ("bundle", "build/sum"),
    ("replay", "build/sum", "weigh"),
    ("up", "chaos"),
    ("down",),
)


def _project(trial: Trial, *, built: bool) -> tuple[Path, Path]:
    if built:
        return trial.site.copy_template(trial.folder)
    return trial.site.write_project(trial.folder / "project"), trial.site.new_cache(trial.folder / "cache")


def _judge(trial: Trial, done: Finished, where: str) -> None:
    """A run that says ok is right; else one message names the place and says what to do."""
    invariants.proper(done, {0, 2, 3, 4})
    if done.code == 0 and done.command.startswith("bskernel run"):
        invariants.the_build_is_right(trial, trial.folder / "project")
    if done.code not in {0, 3} and done.command.startswith("bskernel run"):
        words = done.said.casefold()
        trial.require(
            str(trial.folder).casefold() in words or where in words, f"the message does not name the place: {done}"
        )


def full(trial: Trial, which: str) -> None:
    """A disk that gets full at some point of a command, and then has space again."""
    rng = trial.rng
    place = trial.folder / which
    needs = 20_000 if which == "temporary" else 3_000_000
    mounts.mount_memory(place, ENOUGH)
    try:
        project, cache = _project(trial, built=rng.random() < 0.3)
        temporary = trial.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        used = os.statvfs(place)
        taken = (used.f_blocks - used.f_bfree) * used.f_frsize
        size = taken + rng.choice((4096, rng.randrange(4096, needs), rng.randrange(4096, needs)))
        mounts.resize(place, size)
        command = rng.choice(COMMANDS)
        trial.item = f"{size - taken:,} bytes left, bskernel {' '.join(command)}"
        done = trial.site.run(project, cache, *command, variables={"TMPDIR": str(temporary)})
        _judge(trial, done, "space")
        trial.site.run(project, cache, "down")
        invariants.nothing_runs()
        mounts.resize(place, ENOUGH)
        invariants.the_next_run_is_right(trial, project, cache)
    finally:
        invariants.end_descendants()
        mounts.unmount(place)


def read_only(trial: Trial, which: str) -> None:
    """A folder that nobody may write to, not even root."""
    built = trial.rng.random() < 0.7
    project, cache = _project(trial, built=built)
    place = {"cache": cache, "project": project, "build": project / "build"}[which]
    place.mkdir(exist_ok=True)
    (cache / "sessions").mkdir(exist_ok=True)
    mounts.mount_read_only(place)
    try:
        command = trial.rng.choice(COMMANDS)
        trial.item = f"{'finished' if built else 'no'} build, bskernel {' '.join(command)}"
        done = trial.site.run(project, cache, *command)
        _judge(trial, done, "read-only")
        trial.site.run(project, cache, "down")
        invariants.nothing_runs()
    finally:
        invariants.end_descendants()
        mounts.unmount(place)
    invariants.the_next_run_is_right(trial, project, cache)


def _limit_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def few_files(trial: Trial) -> None:
    """Few file descriptors."""
    most = trial.rng.choice((6, 8, 10, 12, 16, 20, 24, 32, 48))
    _within(trial, f"at most {most} open files", lambda: _limit_files(most))


def little_memory(trial: Trial) -> None:
    """Little address space, or little data."""
    mebibytes = trial.rng.choice((30, 100, 250, 300, 400, 520, 600))
    which, limit = trial.rng.choice((resource.RLIMIT_AS, resource.RLIMIT_DATA)), mebibytes << 20
    words = f"{mebibytes} MiB of {'address space' if which == resource.RLIMIT_AS else 'data'}"
    _within(trial, words, lambda: resource.setrlimit(which, (limit, limit)))


def _within(trial: Trial, words: str, before: Callable[[], None]) -> None:
    project, cache = _project(trial, built=trial.rng.random() < 0.5)
    command = trial.rng.choice(COMMANDS)
    trial.item = f"{words}, bskernel {' '.join(command)}"
    done = trial.site.run(project, cache, *command, before=before)
    if done.code is None:
        raise Violation(f"it did not end: {done}", "hang")
    # The interpreter may fail before the first line of ours.
    if "/kernel/bskernel/" in done.said or done.code in invariants.CODES:
        invariants.proper(done)
    if done.code == 0 and command[0] == "run":
        invariants.the_build_is_right(trial, project)
    trial.site.run(project, cache, "down")
    invariants.nothing_runs()
    invariants.the_next_run_is_right(trial, project, cache)


def closed_output(trial: Trial) -> None:
    """Standard output that is closed, full, or a pipe whose reader has gone."""
    project, cache = _project(trial, built=True)
    command = trial.rng.choice(COMMANDS)
    how = trial.rng.choice((">&-", "2>&-", ">&- 2>&-", "<&-", "> /dev/full", "2> /dev/full", "| head -1", "| true"))
    trial.item = f"bskernel {' '.join(command)} {how}"
    program = [trial.site.program, *command]
    with (trial.folder / "said").open("wb") as said:
        child = subprocess.run(
            ["bash", "-c", f'"$@" {how}', "bash", *program],
            cwd=project,
            env=trial.site.variables(cache),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
            timeout=120,
        )
    text = (trial.folder / "said").read_text(errors="replace")
    trial.require(
        "Traceback" not in text and "Exception ignored" not in text, f"exit {child.returncode}: {text[-900:]}"
    )
    trial.site.run(project, cache, "down")
    invariants.nothing_runs()
    invariants.the_next_run_is_right(trial, project, cache)


def _kind(name: str, promise: str, attempt: Callable[[Trial], None], tries: int) -> Kind:
    return Kind(name=f"places/{name}", promise=promise, attempt=attempt, tries=tries)


KINDS = [
    _kind(
        "full-cache",
        "a full cache is one message that names it, and the build goes on when there is space",
        lambda trial: full(trial, "cache"),
        1,
    ),
    _kind(
        "full-project",
        "a full disk below the build directory is one message that names it",
        lambda trial: full(trial, "project"),
        1,
    ),
    _kind("full-temporary", "a full TMPDIR is one message, or no matter", lambda trial: full(trial, "temporary"), 1),
    _kind(
        "read-only-cache",
        "a read-only cache recalls, or says that it is read-only",
        lambda trial: read_only(trial, "cache"),
        1,
    ),
    _kind(
        "read-only-project",
        "a read-only working folder is one message that names it",
        lambda trial: read_only(trial, "project"),
        1,
    ),
    _kind(
        "read-only-build",
        "a read-only build directory is one message that names it",
        lambda trial: read_only(trial, "build"),
        1,
    ),
    _kind("few-files", "few file descriptors are a message, not a hang", few_files, 1),
    _kind("little-memory", "little memory is a message, not a hang", little_memory, 1),
    _kind("output", "closed, full or broken output is no traceback", closed_output, 1),
]
