"""Whatever a step leaves can be removed, and nothing else goes with it."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.remains.removal import empty, remove

NOBODY = 65534
PR_SET_DUMPABLE = 4


def dig(folder: Path, depth: int, name: str) -> None:
    """Folders inside one another, beyond what any path can name."""
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("deepest", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


@pytest.mark.parametrize(("depth", "name"), [(1500, "d"), (300, "d" * 255)])
def test_a_folder_is_removed_at_any_depth(tmp_path: Path, depth: int, name: str) -> None:
    dig(tmp_path / "a", depth, name)
    assert remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_depth_costs_no_descriptors(tmp_path: Path) -> None:
    dig(tmp_path / "a", 200, "d")
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))\n"
    code += "from bskernel.remains.removal import remove; sys.exit(not remove(sys.argv[1]))"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False).returncode == 0
    assert not (tmp_path / "a").exists()


def test_what_is_removed_may_have_any_mode_and_name(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (inner / "file").touch(mode=0)
    os.close(os.open(os.fsencode(inner) + b"/\xff\n", os.O_CREAT | os.O_WRONLY))
    os.mkfifo(inner / "fifo")
    for folder in (inner, inner.parent, inner.parent.parent):
        folder.chmod(0)
    here = os.open(tmp_path, os.O_RDONLY)
    if os.getuid() == 0:
        for path in (*map(os.fsencode, (tmp_path, *tmp_path.rglob("*"))), os.fsencode(inner) + b"/\xff\n"):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    child = os.fork()
    if child == 0:
        os._exit(0 if remove_as_nobody(here) else 1)
    os.close(here)
    assert os.waitpid(child, 0)[1] == 0
    assert list(tmp_path.iterdir()) == []


def remove_as_nobody(folder: int) -> bool:
    """Remove what is in a folder as a user whom modes bind, also where the tests run as root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else its /proc/self is root's
    return remove("a", dir_fd=folder)


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o750)
    (kept / "file").write_text("kept")
    for folder in (tmp_path / "a", tmp_path / "a" / "deep"):
        folder.mkdir()
        (folder / "link").symlink_to(kept)
    (tmp_path / "link").symlink_to(kept)
    assert remove(tmp_path / "a")
    assert remove(tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert (kept / "file").read_text() == "kept"
    assert kept.stat().st_mode & 0o777 == 0o750


def test_what_is_missing_is_removed_already(tmp_path: Path) -> None:
    assert remove(tmp_path / "a" / "b")
    assert remove(tmp_path / "a")
    assert empty(tmp_path / "a")


def test_an_emptied_folder_stays(tmp_path: Path) -> None:
    dig(tmp_path / "a", 40, "d")
    (tmp_path / "a").chmod(0o500)
    assert empty(tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []


def test_what_cannot_be_removed_is_said() -> None:
    assert not remove("/proc/self/status")
    assert Path("/proc/self/status").exists()
