"""What must hold after anything: nothing is left, nothing is wrong, no traceback is shown."""

import contextlib
import hashlib
import json
import os
import re
import signal
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from bskernel.commands.store import StoreAdmin

from chaos.kind import Trial, Violation
from chaos.site import NAME, Finished, Site

CODES = {0, 2, 3, 4, 5, 130}
# Of a terminal's control characters a printed text or a written file holds none but these.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
_KERNEL = re.compile(r'File "[^"\n]*/kernel/bskernel/')
_FOLDERS = ("sessions", "incoming", "kept")  # of a cache, empty when nothing runs
GRACE_S = 10.0  # how long what a killed process leaves may take to end by itself


def proper(done: Finished, codes: Iterable[int] = CODES) -> Finished:
    """Raise Violation if a command did not end, ended unforeseen, or showed a traceback or control characters."""
    if done.code is None:
        raise Violation(f"it did not end: {done}", "hang")
    if "Traceback (most recent call last)" in done.said and _KERNEL.search(done.said):
        raise Violation(f"a traceback of the kernel: {done}", "traceback")
    if done.code not in set(codes):
        raise Violation(f"unforeseen end: {done}", "traceback" if done.code == 70 else "unclear")
    if found := CONTROLS.search(done.said):
        raise Violation(f"the control character {found[0]!r} reached the terminal: {done}", "escape")
    if done.code and not done.said.strip():
        raise Violation(f"an end without a word: {done}", "unclear")
    return done


def descendants() -> list[int]:
    """The processes below this one, without those that have ended. Whoever loses its parent comes below it."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def reap() -> None:
    """Collect children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_descendants() -> None:
    """Kill whatever is left below this process."""
    deadline = time.monotonic() + GRACE_S
    while (found := descendants()) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        reap()
    reap()


def _command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{pid} {text[:120]}"
    return str(pid)


def nothing_runs(grace_s: float = GRACE_S) -> None:
    """Raise Violation if a process is still there after the time that it may take to end."""
    deadline = time.monotonic() + grace_s
    while found := descendants():
        if time.monotonic() > deadline:
            raise Violation(f"still running: {', '.join(_command_of(pid) for pid in found[:4])}", "left over")
        reap()
        time.sleep(0.02)
    reap()


def nothing_lies_around(cache: Path) -> None:
    """Raise Violation if a session's folder or a half-written file is left in a cache that nobody uses."""
    for name in _FOLDERS:
        folder = cache / name
        left = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if left:
            raise Violation(f"left in {name}/: {', '.join(left[:4])} ({len(left)} in all)", "left over")


def _described(path: Path) -> str:
    status = path.lstat()
    kind = f"{stat.filemode(status.st_mode)} links {status.st_nlink} changed {status.st_mtime_ns}"
    if stat.S_ISLNK(status.st_mode):
        return f"{kind} to {path.readlink()}"
    if stat.S_ISREG(status.st_mode) and status.st_size < 10_000_000:
        attributes = sorted(os.listxattr(path))
        return f"{kind} {hashlib.sha256(path.read_bytes()).hexdigest()} {attributes}"
    return f"{kind} {status.st_size if stat.S_ISREG(status.st_mode) else ''}"


def snapshot(folder: Path) -> dict[str, str]:
    """Everything in a folder and the folder itself: kind, mode, links, time, bytes."""
    found = {".": _described(folder)}
    for inner, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(inner, name)
            found[str(path.relative_to(folder))] = _described(path)
    return found


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """What differs, in words."""
    lines = [f"{name} is gone" for name in before.keys() - now.keys()]
    lines += [f"{name} is new: {now[name]}" for name in now.keys() - before.keys()]
    lines += [
        f"{name}: {before[name]} -> {now[name]}" for name in before.keys() & now.keys() if before[name] != now[name]
    ]
    return sorted(lines)


def files_of(folder: Path) -> dict[str, str]:
    """The files of a folder: SHA-256 of the bytes, and x if it may be executed. Links are not followed.

    Hidden files are the build directory's own notes, with times in them.
    """
    found = {}
    for inner, folders, names in os.walk(folder):
        links = [name for name in folders if Path(inner, name).is_symlink()]
        for name in (*links, *names):
            path = Path(inner, name)
            if name.startswith("."):
                continue
            status = path.lstat()
            plain = stat.S_ISREG(status.st_mode)
            what = hashlib.sha256(path.read_bytes()).hexdigest() if plain else stat.filemode(status.st_mode)
            found[str(path.relative_to(folder))] = f"{what}{' x' if status.st_mode & 0o100 and plain else ''}"
    return found


OF_THE_USER = b"a user put this here"  # a build keeps such files, in artifacts/ too


def made_by(project: Path) -> dict[str, dict[str, str]]:
    """What a build of the campaign's project made: digests of outputs, bytes of artifacts, metrics, all as texts."""
    output = project / "build" / NAME
    result = json.loads((output / "result.json").read_bytes())
    outputs = {
        f"{step['name']}/{made['name']}": made["digest"]["sha256"]
        for step in result["steps"]
        for made in step["outputs"]
    }
    kept = hashlib.sha256(OF_THE_USER).hexdigest()
    return {
        "status": {"build": result["status"]},
        "steps": outputs,
        "artifacts": {name: text for name, text in files_of(output / "artifacts").items() if text != kept},
        "metrics": {"all": json.dumps(json.loads((output / "metrics.json").read_bytes()), sort_keys=True)},
    }


def make_reference(site: Site) -> None:
    """Note what an undisturbed build makes, unless the site has it. Raises Violation if even that one fails."""
    if site.has_reference():
        return
    project, cache = site.begin_template()
    if proper(done := site.run(project, cache, "run", "build.toml")).code != 0:
        raise Violation(f"the undisturbed build fails: {done}")
    site.note_reference(made_by(project))


def the_build_is_right(trial: Trial, project: Path) -> None:
    """Raise Violation unless a build that said ok made what an undisturbed one makes."""
    try:
        made = made_by(project)
    except (OSError, ValueError, KeyError) as error:
        raise Violation(f"a build said ok, and its results cannot be read: {error!r}", "wrong") from error
    for key, value in trial.site.reference().items():
        if different := changes(value, made.get(key, {})):
            raise Violation(f"a build said ok, and its {key} are wrong: {'; '.join(different[:4])[:600]}", "wrong")


def nothing_is_unknown(trial: Trial, project: Path, cache: Path) -> None:
    """Raise Violation if cache or build directory hold a name that those of an undisturbed build do not hold."""
    template = trial.site.folder / "template"
    # What other commands and another runtime keep: tools, bases, images and engines that they found, warm sessions,
    # records of builds that had nothing to do, and how long steps take.
    known = {path.name for path in (template / "cache").iterdir()}
    known |= {"tools", "tools.json", "kept", "engines", "bases", "images", "images.lock"}
    known |= {"unchanged", "step-durations.json"}
    unknown = [f"cache/{path.name}" for path in cache.iterdir() if path.name not in known]
    built = template / "project" / "build" / NAME
    known = {str(path.relative_to(built)) for path in built.rglob("*")}
    build = project / "build" / NAME
    unknown += [f"build/{name}" for path in build.rglob("*") if (name := str(path.relative_to(build))) not in known]
    if unknown:
        raise Violation(f"left behind: {', '.join(sorted(unknown)[:4])}", "left over")


def the_session_ends(trial: Trial, project: Path, cache: Path) -> None:
    """Run beside a warm session and take it down: both work, and nothing is left."""
    done = proper(trial.site.run(project, cache, "run", "build.toml"))
    if done.code != 0:
        raise Violation(f"the next run fails: {done}")
    the_build_is_right(trial, project)
    proper(trial.site.run(project, cache, "down"), {0})
    nothing_runs()
    nothing_lies_around(cache)


def the_next_run_is_right(
    trial: Trial,
    project: Path,
    cache: Path,
    *,
    runtime: str = "process",
    checks_store: bool = True,
    repairs_store: bool = False,
) -> None:
    """Run the build once more, to its end: it is right, leaves nothing, and the cache is sound.

    With `repairs_store` it may hold foreign files and what no build needed, until it is repaired.
    """
    done = trial.site.run(project, cache, "run", "build.toml", runtime=runtime)
    if proper(done).code != 0:
        raise Violation(f"the next run fails: {done}")
    the_build_is_right(trial, project)
    nothing_runs()
    nothing_lies_around(cache)
    if repairs_store:
        StoreAdmin(cache, None, lambda _: None).check(shared=False, repair=True)
    if checks_store:
        the_cache_is_sound(cache)


def no_result_is_incomplete(cache: Path) -> None:
    """Raise Violation if a result in the cache names bytes that are missing or damaged."""
    found = StoreAdmin(cache, None, lambda _: None).check(shared=False, repair=False)
    if found.dangling:
        raise Violation(f"results name what is damaged or missing: {', '.join(found.dangling)}")


def the_cache_is_sound(cache: Path) -> None:
    """Raise Violation if `store check` would find anything."""
    found = StoreAdmin(cache, None, lambda _: None).check(shared=False, repair=False)
    if not found.sound:
        raise Violation(f"the cache is damaged: {found}"[:900], "wrong")
