"""Damage to files and folders that lie on disk: the next run repairs it, or says clearly what is wrong."""

import errno
import functools
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from bskernel.result.output_folder import MARK

from chaos import invariants
from chaos.hostile import make_outside
from chaos.kind import Kind, Trial, Violation
from chaos.sweeps import SWEEP, the_points_are_right, the_sweep_is_right

# What a user may ask for before the next run; none of it may show a traceback.
QUESTIONS = (
    ("explain", "build/sum"),
    ("explain", "build/sum", "weigh"),
    ("diff", "build/sum", "build/sum"),
    ("plan", "build.toml"),
    ("store", "stat"),
    ("store", "check"),
    ("store", "check", "--repair"),
    ("store", "gc", "--dry-run"),
    ("doctor",),
    ("down",),
    ("bundle", "build/sum"),
    ("replay", "build/sum", "weigh"),
)


def _keep_times(path: Path, change: Callable[[], object]) -> None:
    found = path.stat()
    change()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _empty(path: Path, rng: random.Random) -> None:
    os.truncate(path, 0)


def _cut(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size + 1))


def _zero(path: Path, rng: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _append(path: Path, rng: random.Random) -> None:
    with path.open("ab") as file:
        file.write(rng.randbytes(10))


def _noise(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(path.stat().st_size))


def _nest(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.choice((b"[", b'{"a":', b"\x91", b"\x81\xa1a")) * 5000)


IN_PLACE = {
    "emptied": _empty,
    "cut": _cut,
    "zeroed": _zero,
    "flipped": _flip,
    "longer": _append,
    "noise": _noise,
    "nested": _nest,
}


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clear_away(hurts: Sequence[Path]) -> None:
    """Remove what was hurt, as a refusal says; a folder without its mark would be no build's any more."""
    for path in hurts:
        try:
            _clear(path)
            if path.name == MARK and path.parent.is_dir():
                path.touch()
        except OSError as error:
            if error.errno not in {errno.ENOTDIR, errno.ELOOP}:  # what it lay in was hurt, too
                raise


def _replaced(path: Path, make: Callable[[Path], object]) -> None:
    _clear(path)
    make(path)


def _folder_in_place(path: Path) -> None:
    path.mkdir()
    (path / "file").write_bytes(invariants.OF_THE_USER)


REPLACED: dict[str, Callable[[Path, Path], object]] = {
    "removed": lambda path, outside: None,
    "folder": lambda path, outside: _folder_in_place(path),
    "file": lambda path, outside: path.write_text("foreign"),
    "fifo": lambda path, outside: os.mkfifo(path),
    "link-outside": lambda path, outside: path.symlink_to(outside / "writable.txt"),
    "link-to-folder": lambda path, outside: path.symlink_to(outside / "folder"),
    "link-to-itself": lambda path, outside: path.symlink_to(path.name),
    "link-to-nothing": lambda path, outside: path.symlink_to("nothing"),
    "device": lambda path, outside: path.symlink_to("/dev/full"),
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where damage is done: patterns below the trial's folder, and what must hold of it."""

    name: str
    patterns: tuple[str, ...]
    promise: str
    tries: int
    volume: int


PLACES = (
    Place(
        name="blobs",
        patterns=("cache/blobs/*/*",),
        promise="a damaged blob is missing, never wrong",
        tries=2,
        volume=50,
    ),
    Place(
        name="actions",
        patterns=("cache/actions/*/*",),
        promise="a damaged result is missing, never wrong",
        tries=2,
        volume=50,
    ),
    Place(
        name="cache",
        patterns=("cache/*", "cache/blobs/*", "cache/actions/*", "cache/claims/*"),
        promise="a damaged cache is mended, or its message names the place",
        tries=2,
        volume=50,
    ),
    Place(
        name="artifacts",
        patterns=("project/build/sum/artifacts/*", "project/build/sum/artifacts/**/*"),
        promise="artifacts have their digests when a run says ok",
        tries=3,
        volume=272,
    ),
    Place(
        name="build",
        patterns=(
            "project/build/sum/*",
            "project/build/sum/.[a-z]*",
            "project/build/sum/steps/**/*",
            "project/build",
        ),
        promise="a damaged build directory is written again, or refused by name",
        tries=2,
        volume=50,
    ),
)


def _targets(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The paths that fit, but not the environments, which all trials share, and not what a link leads to."""
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(
        path
        for path in found
        if path.name not in {"envs", "code"} and path.parent.resolve() == path.parent.absolute()
    )


def hurt(trial: Trial, target: Path, outside: Path) -> str:
    """Damage a file or folder in one way; returns which."""
    # A user may keep a folder of the cache elsewhere, by a link.
    ways = [way for way in REPLACED if way != "link-to-folder" or "project" in target.parts]
    if target.is_file() and not target.is_symlink():
        ways = [*IN_PLACE, *(f"{way}-keeping-times" for way in IN_PLACE), *ways]
    way = trial.rng.choice(ways)
    plain = way.removesuffix("-keeping-times")
    if plain in REPLACED:
        _replaced(target, lambda path: REPLACED[plain](path, outside))
    elif way != plain:
        _keep_times(target, lambda: IN_PLACE[plain](target, trial.rng))
    else:
        IN_PLACE[plain](target, trial.rng)
    return way


def attempt(trial: Trial, place: Place) -> None:
    """Damage one to three things of a finished build and its cache; perhaps ask something; run again."""
    site, rng = trial.site, trial.rng
    project, cache = site.copy_template(trial.folder)
    outside = make_outside(trial.folder / "outside")
    before = invariants.snapshot(outside)
    hurts: list[Path] = []
    words = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        targets = _targets(trial.folder, place.patterns)
        if targets:
            hurts.append(rng.choice(targets))
            words.append(f"{hurts[-1].relative_to(trial.folder)} {hurt(trial, hurts[-1], outside)}")
    if rng.random() < 0.3 and place.name in {"blobs", "actions"}:
        _clear(project / "build")
        words.append("build directory removed")
    asked = rng.choice(QUESTIONS) if rng.random() < 0.5 else None
    trial.item = "; ".join([*words, *([f"then bskernel {' '.join(asked)}"] if asked else [])])
    if asked:
        invariants.proper(site.run(project, cache, *asked), (*invariants.CODES, 1))
    done = invariants.proper(site.run(project, cache, "run", "build.toml"))
    if done.code == 0:
        invariants.the_build_is_right(trial, project)
    if changed := invariants.changes(before, invariants.snapshot(outside)):
        raise Violation(f"a command changed what the user keeps elsewhere: {'; '.join(changed[:3])}", "escape")
    if done.code != 0:
        _clear_away(hurts)
    invariants.the_next_run_is_right(trial, project, cache, repairs_store=True)


def sweep(trial: Trial) -> None:
    """Damage one to three things in the folder of a finished sweep, and sweep again."""
    site, rng = trial.site, trial.rng
    project, cache = site.write_project(trial.folder / "project", SWEEP), site.new_cache(trial.folder / "cache")
    the_sweep_is_right(trial, project, cache)
    outside = make_outside(trial.folder / "outside")
    before = invariants.snapshot(outside)
    words = []
    hurts: list[Path] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        patterns = ("*", "points/*/*", "points/*/.[a-z]*", "points/*/*/**/*")
        hurts.append(rng.choice(_targets(project / "build" / "b-sweep", patterns)))
        words.append(f"{hurts[-1].relative_to(project)} {hurt(trial, hurts[-1], outside)}")
    trial.item = "; ".join(words)
    if invariants.proper(site.run(project, cache, "sweep", "build.toml")).code == 0:
        the_points_are_right(trial, project)
    else:  # refused by name
        _clear_away(hurts)
        the_sweep_is_right(trial, project, cache)
    if changed := invariants.changes(before, invariants.snapshot(outside)):
        raise Violation(f"a command changed what the user keeps elsewhere: {'; '.join(changed[:3])}", "escape")
    invariants.nothing_runs()
    invariants.nothing_lies_around(cache)


def _make_huge(path: Path, rng: random.Random) -> None:
    os.truncate(path, 3_000_000_000)


def shared_store(trial: Trial) -> None:
    """Damage what another machine left in a shared store: whoever recalls from there makes it himself."""
    site, rng = trial.site, trial.rng
    shared = trial.folder / "shared"
    shared.mkdir()
    project, cache = site.write_project(trial.folder / "project"), site.new_cache(trial.folder / "other")
    writing = {"BSKERNEL_STORE": str(shared), "BSKERNEL_STORE_MODE": "write-through"}
    invariants.proper(site.run(project, cache, "run", "build.toml", variables=writing), {0})
    shutil.rmtree(project / "build")
    outside = make_outside(trial.folder / "outside")
    before = invariants.snapshot(outside)
    words = []
    for _ in range(rng.choice((1, 1, 2, 4))):
        target = rng.choice(_targets(trial.folder, ("shared/*/*/*",)) or [shared])
        if target.is_file() and not target.is_symlink() and rng.random() < 0.15:
            _make_huge(target, rng)
            words.append(f"{target.relative_to(trial.folder)} huge")
        else:
            words.append(f"{target.relative_to(trial.folder)} {hurt(trial, target, outside)}")
    trial.item = "; ".join(words)
    cache = site.new_cache(trial.folder / "cache")
    reading = {"BSKERNEL_STORE": str(shared), "BSKERNEL_STORE_MODE": "read-only"}
    done = invariants.proper(site.run(project, cache, "run", "build.toml", variables=reading))
    trial.require(done.code == 0, f"a damaged shared store fails the build: {done}")
    invariants.the_build_is_right(trial, project)
    if changed := invariants.changes(before, invariants.snapshot(outside)):
        raise Violation(f"a run changed what the user keeps elsewhere: {'; '.join(changed[:3])}", "escape")
    invariants.the_next_run_is_right(trial, project, cache)


KINDS = [
    Kind(
        name="damage/sweep",
        promise="a damaged folder of a sweep is written again, or refused by name",
        attempt=sweep,
        tries=0,
        volume=50,
    ),
    Kind(
        name="damage/shared-store",
        promise="damage in a shared store costs time, and nothing else",
        attempt=shared_store,
        tries=1,
        volume=50,
    ),
    *(
        Kind(
            name=f"damage/{place.name}",
            promise=place.promise,
            attempt=functools.partial(attempt, place=place),
            tries=place.tries,
            volume=place.volume,
        )
        for place in PLACES
    ),
]
