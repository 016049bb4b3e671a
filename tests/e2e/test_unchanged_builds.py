"""A build that has nothing to do is told from one file, and only while nothing has changed that a build looks at."""

import fcntl
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bskernel.cli.unchanged_build import FIELDS
from bskernel.images.atomic_dir import DONE
from bskernel.result.integrity import find_altered
from support.builds import result_of, statuses, write
from support.paths import BSKERNEL

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
parameters = { number = 3 }
[[step]]
entry = "testing:measure-tree"
[[step]]
name = "numbers"
entry = "testing:tell"
"""
IMPORTS = """
import os, sys
def end(code):
    print(*sys.modules)
    sys.stdout.flush()
    real(code)
real, os._exit = os._exit, end
from bskernel.cli import program
sys.argv[:] = ["bskernel", "run", "-q"]
program()
"""


class Project:
    """A project whose build has been recorded, and which can be built again."""

    def __init__(self, folder: Path, surroundings: dict[str, str]) -> None:
        self.folder = folder
        self.surroundings = surroundings
        self.cache = Path(surroundings["BSKERNEL_CACHE"])
        self.build = folder / "build" / "sum"

    def run(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [BSKERNEL, "run", *options]
        environment = self.surroundings | variables
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, env=environment)

    @property
    def was_told(self) -> bool:
        """True when the last build was told from the record: only then has its log one time in it."""
        lines = (self.build / "log.jsonl").read_text().splitlines()
        return len({json.loads(line)["timestamp"] for line in lines}) == 1

    def settle(self, *options: str) -> None:
        """Build until the record is used; it is not made of files that changed less than two seconds before."""
        for _ in range(40):
            assert self.run(*options).returncode == 0
            if self.was_told:
                return
            time.sleep(0.25)
        raise AssertionError("no build was told from a record")

    def contents(self) -> dict[str, str]:
        """What is in the build directory, without times and what follows from them."""
        found = {}
        for path in sorted(self.build.rglob("*")):
            if path.is_file() and path.name not in {".written", ".closed", ".laid"}:
                text = path.read_bytes().decode("latin-1")
                text = re.sub(r'"timestamp":"[^"]*"', '"timestamp":""', text)
                found[str(path.relative_to(self.build))] = re.sub(r'("seconds": ?)[0-9.e-]+', r"\g<1>0", text)
        return found


@pytest.fixture
def project(tmp_path: Path, surroundings: dict[str, str]) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    # Other tests make environments in the shared folders: a cache with temporary files is left to the whole command.
    for shared in [path for path in Path(surroundings["BSKERNEL_CACHE"]).iterdir() if path.is_symlink()]:
        made = [path for path in shared.resolve().iterdir() if (path / DONE).exists()]
        shared.unlink()
        shared.mkdir()
        for path in made:
            (shared / path.name).symlink_to(path)
    write(folder, CONFIG)
    built = Project(folder, surroundings)
    assert built.run().returncode == 0
    return built


def without_seconds(text: str) -> str:
    return re.sub(r"[0-9.]+ s\n", "s\n", text)


def test_a_build_that_is_told_from_its_record_prints_and_leaves_what_any_other_does(project: Project) -> None:
    whole = project.run()
    contents = project.contents()
    assert not project.was_told
    project.settle()
    for _ in range(2):
        told = project.run()
        assert project.was_told
        assert (told.returncode, told.stderr) == (0, whole.stderr)
        assert without_seconds(told.stdout) == without_seconds(whole.stdout)
        assert project.contents() == contents
        assert find_altered(project.build) == ()
        assert set(statuses(project.build).values()) == {"recalled"}
        assert project.run("--json").returncode == 0
        assert project.run().returncode == 0
        assert project.was_told


def test_a_build_that_is_told_from_its_record_imports_next_to_nothing(project: Project) -> None:
    def modules() -> set[str]:
        command = [sys.executable, "-c", IMPORTS]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=project.folder, env=project.surroundings
        )
        return set(done.stdout.splitlines()[-1].split())

    for _ in range(40):
        found = modules()
        if project.was_told:
            break
        time.sleep(0.25)
    assert project.was_told
    assert found.isdisjoint(
        {"click", "msgspec", "hashlib", "_hashlib", "pathlib", "re", "enum", "typing", "contextlib"}
    )
    own = {name for name in found if name.startswith("bskernel")}
    assert own == {
        "bskernel",
        "bskernel.cli",
        "bskernel.cli.standard_streams",
        "bskernel.cli.unchanged_build",
        "bskernel.core",
        "bskernel.core.cache_folders",
        "bskernel.core.errors",
    }


def rewrite(path: Path, data: bytes) -> None:
    """Other bytes in place of as many, with the times that programs can set."""
    before = path.stat()
    assert len(data) == before.st_size
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(path: Path) -> None:
    data = path.read_bytes()
    rewrite(path, bytes([data[0] ^ 1]) + data[1:])


def blob_of(project: Project) -> Path:
    sha256: str = result_of(project.build)["steps"][0]["outputs"][0]["digest"]["sha256"]
    return project.cache / "blobs" / sha256[:2] / sha256


def action_of(project: Project) -> Path:
    key: str = result_of(project.build)["steps"][1]["key"]
    return project.cache / "actions" / key[:2] / key


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine").write_text("mine")


@pytest.mark.parametrize(
    "damage",
    [
        lambda project: flip(project.build / "artifacts" / "model"),
        lambda project: (project.build / "artifacts" / "model").unlink(),
        lambda project: (project.build / "artifacts" / "by-step" / "mine").write_text("x"),
        lambda project: flip(project.build / "metrics.json"),
        lambda project: flip(project.build / "config.json"),
        lambda project: (project.build / "build.lock").unlink(),
        lambda project: flip(next((project.build / "steps").glob("*/manifest.msgpack"))),
        lambda project: shutil.rmtree(project.build / "steps"),
        lambda project: shutil.rmtree(project.build),
        lambda project: (project.build / "report.html").write_text("old"),
        lambda project: put_folder(project.build / "result.json"),
        lambda project: put_folder(project.build / "log.jsonl"),
        lambda project: (project.build / "result.json").unlink(),
        lambda project: blob_of(project).unlink(),
        lambda project: flip(blob_of(project)),
        lambda project: action_of(project).unlink(),
        lambda project: flip(project.cache / "generation"),
        lambda project: os.utime(action_of(project), (1, 1)),
    ],
)  # fmt: skip
def test_what_became_of_a_build_or_the_cache_is_seen(project: Project, damage: Callable[[Project], Any]) -> None:
    contents = project.contents()
    project.settle()
    damage(project)
    done = project.run()
    assert done.returncode == 0
    assert not project.was_told
    assert find_altered(project.build) == ()
    assert {name: text for name, text in project.contents().items() if name in contents}.keys() == contents.keys()
    assert (project.build / "artifacts" / "model").read_text() == "13"


@pytest.mark.parametrize(
    ("change", "model"),
    [
        (lambda folder: rewrite(folder / "number.txt", b"7"), "17"),
        (lambda folder: rewrite(folder / "build.toml", CONFIG.replace("number = 3", "number = 4").encode()), "14"),
    ],
)
def test_a_changed_input_is_seen_even_with_the_times_of_before(
    project: Project, change: Callable[[Path], None], model: str
) -> None:
    project.settle()
    change(project.folder)
    assert project.run().returncode == 0
    assert (project.build / "artifacts" / "model").read_text() == model


def test_a_link_that_leads_elsewhere_is_seen(project: Project) -> None:
    other = project.folder.parent / "other"
    other.mkdir()
    for name, number in (("five", "5"), ("nine", "9")):
        (other / name).write_text(number)
    (project.folder / "number.txt").unlink()
    (project.folder / "number.txt").symlink_to(other / "five")
    project.settle()
    (project.folder / "number.txt").unlink()
    (project.folder / "number.txt").symlink_to(other / "nine")
    assert project.run().returncode == 0
    assert (project.build / "artifacts" / "model").read_text() == "21"


def test_other_options_variables_and_folders_are_no_recorded_build(project: Project) -> None:
    project.settle()
    assert project.run("--set", "build.salt=x").returncode == 0
    assert set(statuses(project.build).values()) == {"ran"}
    project.settle()
    assert project.run("--fresh").returncode == 0
    assert set(statuses(project.build).values()) == {"ran"}
    project.settle()
    assert project.run(BSKERNEL_SYNC="no").returncode == 0
    assert not project.was_told
    project.settle()
    assert json.loads(project.run("--json").stdout)["status"] == "ok"
    assert project.run("--no-such-option").returncode == 2
    copy = project.folder.parent / "copy"
    shutil.copytree(project.folder, copy)
    assert Project(copy, project.surroundings).run().returncode == 0
    assert result_of(copy / "build" / "sum")["directory"] == str(copy / "build" / "sum")


def test_a_locked_build_is_checked_against_its_lock(project: Project) -> None:
    command = [BSKERNEL, "lock", "-q"]
    subprocess.run(command[:2], cwd=project.folder, env=project.surroundings, check=True, capture_output=True)
    project.settle()
    assert project.run("--locked").returncode == 0
    rewrite(project.folder / "number.txt", b"7")
    assert project.run("--locked").returncode == 7


def test_a_build_directory_or_cache_in_use_is_left_to_the_whole_command(project: Project) -> None:
    project.settle()
    with (project.build / ".bskernel-output").open("r+") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        done = project.run()
        assert done.returncode == 2
        assert "another build is writing here" in done.stderr
    left = project.cache / "incoming" / "1-1.tmp-00000000-00000000-00000000-1-1-00"
    left.write_text("")
    os.utime(left, (1, 1))
    done = project.run()
    assert "removed what killed processes left" in done.stderr
    assert not left.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b"recalled", b"recaIIed")),
        lambda path: path.write_bytes(b""),
        lambda path: path.chmod(0o666),
        lambda path: put_folder(path),
    ],
)
def test_a_damaged_record_is_no_record(project: Project, damage: Callable[[Path], Any]) -> None:
    project.settle()
    (record,) = (project.cache / "unchanged").iterdir()
    damage(record)
    assert project.run().returncode == 0
    assert not project.was_told
    assert set(statuses(project.build).values()) == {"recalled"}


def test_output_that_cannot_be_written_ends_it_as_any_command(project: Project) -> None:
    project.settle()
    command = [BSKERNEL, "run"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=project.folder,
            env=project.surroundings,
        )
    assert done.returncode == 4
    assert "standard output cannot be written" in done.stderr
    assert result_of(project.build)["status"] == "ok"


def test_a_build_directory_that_cannot_be_written_keeps_its_result(project: Project) -> None:
    """The disk is full in the middle: the whole command tells, and the last result is there."""
    project.settle()
    before = result_of(project.build)
    command = [BSKERNEL, "run"]
    limited = ["sh", "-c", 'ulimit -f 1 && exec "$@"', "sh", *command]
    done = subprocess.run(
        limited, capture_output=True, text=True, check=False, cwd=project.folder, env=project.surroundings
    )
    assert done.returncode != 0
    assert result_of(project.build)["steps"] == before["steps"]
    assert project.run().returncode == 0
    assert find_altered(project.build) == ()


def on_terminal(project: Project) -> str:
    """What `bskernel run` writes to a terminal."""
    above, below = pty.openpty()
    command = [BSKERNEL, "run"]
    environment = project.surroundings | {"TERM": "xterm"}
    kernel = subprocess.Popen(command, stdin=below, stdout=below, stderr=below, cwd=project.folder, env=environment)
    os.close(below)
    text = b""
    while True:
        try:
            part = os.read(above, 1 << 16)
        except OSError:  # nobody writes any more
            break
        text += part
    os.close(above)
    assert kernel.wait() == 0
    return text.decode()


def test_a_terminal_shows_the_same(project: Project) -> None:
    def lines(text: str) -> list[str]:
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
        return [
            re.sub(r"recalled, [0-9.]+ (s|ms)$", "recalled", line)
            for line in re.split(r"[\r\n]+", plain)
            if "/4 " not in line
        ]

    whole = on_terminal(project)
    assert not project.was_told
    for _ in range(40):
        told = on_terminal(project)
        if project.was_told:
            break
        time.sleep(0.25)
    assert project.was_told
    assert lines(told) == lines(whole)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_record_names_all_files_that_a_build_looks_at(project: Project, root: Path) -> None:
    time.sleep(2.1)
    trace = project.folder.parent / "trace"
    command = [BSKERNEL, "run"]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=file", "-o", str(trace), *command],
        capture_output=True, text=True, check=False, cwd=project.folder, env=project.surroundings,
    )  # fmt: skip
    if not trace.exists() or "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0
    (record,) = (project.cache / "unchanged").iterdir()
    parts = record.read_bytes().split(b"\n", 2)[2].split(b"\0")
    files, own, folders = (int(parts[FIELDS.index(name)]) for name in ("files", "own_files", "folders"))
    pairs = [os.fsdecode(part) for part in parts[len(FIELDS) :: 2]]
    assert len(pairs) == files + own + folders
    exact, same = set(pairs[: files + own]), set(pairs[files + own :])
    cache = {str(project.cache / name) for name in
             ("", "blobs", "actions", "incoming", "envs", "code", "bases", "sources", "packages", "tools", "sessions",
              "kept", "unchanged", "in-use", "files.msgpack", "claims")}  # fmt: skip
    # What Python itself looks at, and where its modules could be: not looked for by a build.
    python = (sys.base_prefix, f"{sys.prefix}/lib", "/usr", "/lib", "/etc/ld.so", "/etc/localtime", "/proc/", "/dev/")
    unknown = set()
    for call, rest in re.findall(r"^\d+ +(\w+)\((.*)", trace.read_text(errors="replace"), re.MULTILINE):
        named = re.match(r'(?:AT_FDCWD, )?"([^"]+)"', rest)
        if named is None:
            continue  # of an open folder: the build directory's, which is recorded whole
        path = os.path.normpath(project.folder / named[1])
        looked_up = str(Path(path).parent) in exact  # whether the name is there is told by its folder
        leads_there = any(one.startswith(f"{path}/") for one in exact)
        inside = Path(path).is_relative_to(project.build) or str(Path(path).parent) in {f"{project.cache}/incoming"}
        if not (path in exact | same | cache or looked_up or leads_there or inside or call == "execve"
                or path.startswith(python) or path.endswith((".pyc", ".so", ".zip", "pyvenv.cfg"))
                or path.startswith(tuple(f"{project.cache}/{name}" for name in ("unchanged", "files.msgpack.tmp-")))
                ):  # fmt: skip
            unknown.add(path)
    assert unknown == set()


CHANGING = """
import os, sys
import bskernel.cli.unchanged_record as record

recorded = record.BuildTrace.record
def late(self, *arguments):
    exec(sys.stdin.read())
    return recorded(self, *arguments)
record.BuildTrace.record = late
from bskernel.cli import program
program()
"""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("pass", None),
        ("os.unlink('cur'); os.symlink('b', 'cur')", 0),
        ("os.rename('a', 'c'); os.rename('b', 'a')", 0),
        ("os.unlink('a/number.txt')", 2),
    ],
)
def test_what_changes_while_a_build_runs_is_seen_by_the_next(project: Project, change: str, code: int | None) -> None:
    for name, number in (("a", "5"), ("b", "6")):
        (project.folder / name).mkdir()
        (project.folder / name / "number.txt").write_text(number)
    (project.folder / "cur").symlink_to("a")
    write(project.folder, CONFIG.replace('model = "number.txt"', 'model = "cur/number.txt"'))
    assert project.run().returncode == 0
    project.settle()
    for record in (project.cache / "unchanged").iterdir():
        record.unlink()
    # As the command would be called by itself: the record is that of these arguments.
    command = [sys.executable, "-c", CHANGING, "run", "build.toml"]
    codes = []
    for late in (change, "pass"):
        done = subprocess.run(
            command, input=late, capture_output=True, text=True, check=False, cwd=project.folder,
            env=project.surroundings,
        )  # fmt: skip
        codes.append(done.returncode)
    assert codes == [0, code or 0]
    assert project.was_told == (code is None)
