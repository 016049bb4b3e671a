"""Full, read-only and foreign places: one message that names the place, exit code 4, and nothing is lost."""

import ctypes
import os
import random
import re
import resource
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support.builds import statuses, write
from support.paths import BSKERNEL
from support.small_disks import disks, mount, read_only

STEP = '[[step]]\nname = "{name}"\nentry = "testing:{entry}"\n'
BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n'
STEPS = [STEP.format(name=f"s{number}", entry=entry) for number, entry in enumerate(("add", "double", "draw"))]
SEEDS = range(40)

USER = 12345  # an unprivileged user that owns nothing here
Disk = Callable[[Path, str], Path]
Said = subprocess.CompletedProcess[str]


@pytest.fixture
def disk() -> Iterator[Disk]:
    with disks() as make:
        yield make


def call(
    folder: Path, variables: Mapping[str, str], *arguments: str, before: Callable[[], None] | None = None
) -> Said:
    """Call the command; whatever it finds, it ends without a traceback."""
    done = subprocess.run(
        [BSKERNEL, *arguments],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=before,
    )
    # A thread that finds no memory to begin runs no code of anybody's: Python alone can say so.
    said = re.sub(
        r"^Exception ignored in sys\.unraisablehook: .*\n", "", done.stderr + done.stdout, flags=re.MULTILINE
    )
    for sign in ("Traceback", "Exception ignored", "failed unexpectedly"):
        assert sign not in said, done.stderr
    return done


def become_user(uid: int = USER) -> None:
    """Before a program starts: become a user who may read everything, since Python may lie anywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    reads = 1 << 2  # CAP_DAC_READ_SEARCH
    data = struct.pack("6I", reads, reads, reads, 0, 0, 0)
    if libc.capset(struct.pack("Ii", 0x20080522, 0), data) or libc.prctl(47, 2, 2, 0, 0):  # PR_CAP_AMBIENT_RAISE
        raise OSError(ctypes.get_errno(), "no capabilities")


def open_up(folder: Path) -> None:
    """Let other users into the folders of a test."""
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def furnish(cache: Path, environments: Path) -> Path:
    """Give a cache the environments that are made already."""
    for name in ("envs", "code"):
        (cache / name).symlink_to(environments / name)
    return cache


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disk_that_fills_up_at_any_moment_ends_in_one_message_and_loses_nothing(
    seed: int, disk: Disk, surroundings: dict[str, str], environments: Path, tmp_path: Path
) -> None:
    draw = random.Random(seed)  # noqa: S311
    place = ("cache", "build", "all")[seed % 3]
    # Bytes run out, or the numbers of files; both at moments that the seed decides.
    size, files = f"size={draw.randrange(8, 120, 4)}k", f"size=64m,nr_inodes={draw.randrange(6, 80)}"
    options = size if draw.random() < 0.6 else files
    write(tmp_path, BUILD, *STEPS)
    folders = {"cache": tmp_path / "cache" / "small", "build": tmp_path / "build"}
    whole = tmp_path / "whole"
    if place == "all":
        disk(whole, options)
        folders = {"cache": whole / "cache", "build": whole / "build"}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
    else:
        disk(folders[place], options)
        folders["cache"].mkdir(parents=True, exist_ok=True)
    variables = {**surroundings, "BSKERNEL_CACHE": str(folders["cache"])}
    if place == "all":
        variables["TMPDIR"] = variables["HOME"] = str(whole)
    try:
        furnish(folders["cache"], environments)
    except OSError:
        pytest.skip("too small for two links")
    output = folders["build"] / "b"
    done = call(tmp_path, variables, "run", "build.toml", "--output", str(output))
    assert done.returncode in {0, 4}, done.stdout + done.stderr
    if done.returncode == 4:
        said = done.stderr + done.stdout
        assert "is full" in said
        assert str(whole if place == "all" else folders[place]) in said
    mount(whole if place == "all" else folders[place], "size=64m,nr_inodes=10000")
    again = call(tmp_path, variables, "run", "build.toml", "--output", str(output))
    assert again.returncode == 0, again.stderr
    assert set(statuses(output).values()) <= {"ran", "recalled"}
    assert call(tmp_path, variables, "store", "check").returncode == 0


@pytest.mark.parametrize("right", ["mount", "mode", "another user"])
def test_a_read_only_cache_recalls_and_says_once_that_it_keeps_nothing(
    right: str, disk: Disk, surroundings: dict[str, str], environments: Path, tmp_path: Path
) -> None:
    cache = furnish(disk(tmp_path / "ro" / "cache", "size=64m,mode=755"), environments)
    folder = tmp_path / "mine"
    folder.mkdir()
    variables = {**surroundings, "BSKERNEL_CACHE": str(cache), "HOME": str(folder), "TMPDIR": str(folder)}
    write(folder, BUILD, *STEPS)
    assert call(folder, variables, "run", "build.toml").returncode == 0
    if right == "another user":
        (cache / "in-use").unlink()
    before = None
    if right == "mount":
        read_only(cache)
    else:
        open_up(tmp_path)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
        before = become_user
    done = call(folder, variables, "run", "build.toml", before=before)
    assert done.returncode == 0, done.stderr
    assert set(statuses(folder / "build" / "b").values()) == {"recalled"}
    note = f"the cache {cache} is read-only: results are recalled, and nothing new is remembered"
    assert done.stderr.count(note) == 1
    # A step that has to run cannot.
    write(folder, BUILD, *STEPS, STEP.format(name="more", entry="double"))
    done = call(folder, variables, "run", "build.toml", before=before)
    assert done.returncode == 4
    assert f"the cache {cache}" in done.stdout
    assert statuses(folder / "build" / "b")["more"] == "failed"
    for command in (("plan", "build.toml"), ("store", "stat"), ("store", "check"), ("steps",), ("up",), ("down",)):
        assert call(folder, variables, *command, before=before).returncode == 0, command
    done = call(folder, variables, "store", "gc", "--older-than", "1d", before=before)
    assert (done.returncode, str(cache) in done.stderr) == (4, True)


def test_a_build_directory_that_cannot_be_written_is_named_and_keeps_the_build_in_it(
    disk: Disk, surroundings: dict[str, str], tmp_path: Path
) -> None:
    folder = disk(tmp_path / "small", "size=1m")
    write(folder, BUILD, *STEPS)
    assert call(folder, surroundings, "run", "build.toml").returncode == 0
    made = {path: path.read_bytes() for path in (folder / "build" / "b").glob("artifacts/*")}
    made[folder / "build" / "b" / "result.json"] = (folder / "build" / "b" / "result.json").read_bytes()
    assert len(made) > 1
    more = [STEP.format(name=f"more{number}", entry="add") for number in range(8)]
    write(folder, BUILD, "salt = 'other'\n", *STEPS, *more)
    (folder / "filler").write_bytes(b"")
    with (folder / "filler").open("ab", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass
    done = call(folder, surroundings, "run", "build.toml")
    assert done.returncode == 4
    assert f"the build directory {folder / 'build' / 'b'} is full" in done.stderr
    assert {path: path.read_bytes() for path in made} == made
    (folder / "filler").unlink()
    read_only(folder)
    done = call(folder, surroundings, "run", "build.toml")
    assert done.returncode == 4
    assert f"the build directory {folder / 'build' / 'b'} is read-only" in done.stderr
    assert "--output" in done.stderr
    assert {path: path.read_bytes() for path in made} == made
    for command in (("plan", "build.toml"), ("explain", "build/b"), ("diff", "build/b", "build/b")):
        assert call(folder, surroundings, *command).returncode == 0
    for refused in (
        ("sweep", "build.toml", "--set", "sweep.grid.\"build.salt\"=['a']"),
        ("bundle", "build/b"),
        ("replay", "build/b", "s0"),
    ):
        done = call(folder, surroundings, *refused)
        assert done.returncode == 4, (refused, done.stderr)
        assert "is read-only" in done.stderr


def test_odd_places_of_a_cache_are_named(surroundings: dict[str, str], environments: Path, tmp_path: Path) -> None:
    write(tmp_path, BUILD, *STEPS)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none" / "deep")
    for place in ("file", "file/below", "loop", "loop/below", "x" * 300, f"deep/{'x' * 300}/y", "/proc/nothing"):
        variables = {**surroundings, "BSKERNEL_CACHE": str(tmp_path / place)}
        for command in (("run", "build.toml"), ("store", "stat"), ("up",), ("down",), ("doctor",)):
            done = call(tmp_path, variables, *command)
            assert done.returncode == 4, (place, command, done.stderr)
            (message, hint) = done.stderr.splitlines()
            assert str(tmp_path / place)[:200] in message
            assert "BSKERNEL_CACHE" in hint
    for special in ("envs", "blobs", "actions", "incoming", "sessions", "in-use", "claims", "files.msgpack"):
        cache = furnish(_folder(tmp_path / f"c-{special}"), environments)
        if special == "envs":
            (cache / "envs").unlink()
        if special in {"in-use", "claims", "files.msgpack"}:
            (cache / special).mkdir()
        if not (cache / special).exists():
            (cache / special).write_text("in the way")
        done = call(tmp_path, {**surroundings, "BSKERNEL_CACHE": str(cache)}, "run", "build.toml")
        assert done.returncode in {0, 4}, (special, done.stderr)
        healed = special in {"in-use", "claims", "files.msgpack"}
        assert done.returncode == (0 if healed else 4)
        assert healed or str(cache) in done.stderr + done.stdout


def test_an_unknown_home_and_a_deleted_working_folder_are_named(surroundings: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, BUILD, *STEPS)
    nobody = {name: value for name, value in surroundings.items() if name not in {"HOME", "BSKERNEL_CACHE"}}
    open_up(tmp_path)
    done = call(tmp_path, nobody, "run", "build.toml", before=lambda: become_user(54321))
    assert done.returncode == 4
    assert "BSKERNEL_CACHE" in done.stderr
    for command in (("run", "build.toml"), ("plan", "build.toml"), ("sweep", "build.toml")):
        (tmp_path / "gone").mkdir(exist_ok=True)
        done = call(tmp_path / "gone", surroundings, *command, before=(tmp_path / "gone").rmdir)
        assert done.returncode == 4, (command, done.stderr)
        assert "the working folder was deleted" in done.stderr
    for variables in ({"HOME": "/proc/none", "TMPDIR": "/proc/none"}, {"TMPDIR": str(tmp_path / "none")}):
        assert call(tmp_path, {**surroundings, **variables}, "run", "build.toml").returncode == 0


@pytest.mark.parametrize(
    ("what", "amounts"),
    [
        (resource.RLIMIT_NOFILE, (8, 12, 16, 20, 24, 28, 32, 40, 48, 64)),
        (resource.RLIMIT_NPROC, (0, 2, 4, 6, 8)),
        (resource.RLIMIT_AS, (30 << 20, 200 << 20, 511 << 20, 600 << 20)),
        (resource.RLIMIT_DATA, (10 << 20, 255 << 20, 300 << 20)),
        (resource.RLIMIT_FSIZE, (0, 100, 1000, 10_000)),
    ],
)
def test_few_files_threads_or_bytes_of_memory_are_named(
    what: int, amounts: tuple[int, ...], surroundings: dict[str, str], environments: Path, tmp_path: Path
) -> None:
    write(tmp_path, BUILD, *STEPS)
    for amount in amounts:
        cache = furnish(_folder(tmp_path / f"cache-{amount}"), environments)
        folder = _folder(tmp_path / f"b-{amount}")
        write(folder, BUILD, *STEPS)

        def limit(amount: int = amount, paths: tuple[Path, ...] = (cache, folder)) -> None:
            if what == resource.RLIMIT_NPROC:
                for path in paths:
                    os.chown(path, USER + amount, USER + amount)
                become_user(USER + amount)
            resource.setrlimit(what, (amount, amount))

        variables = {**surroundings, "BSKERNEL_CACHE": str(cache), "HOME": str(folder)}
        done = call(folder, variables, "run", "build.toml", before=limit)
        if done.returncode not in {0, 1, 127}:  # Python itself does not start
            assert done.returncode == 4, (amount, done.stderr)
