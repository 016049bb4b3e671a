"""Who may use a kept session, and under which name it is found."""

import os
import socket
import subprocess
from pathlib import Path

import msgspec
import pytest
from bskernel.core.step import ExecutorRef
from bskernel.runtime.session_dirs import make_folders
from bskernel.runtime.warm.registry import SessionEntry, SessionRegistry, require_private
from bskernel.runtime.warm.sockets import peer_uid, require_same_user
from bskernel.runtime.warm.status import memory_mib

EXECUTOR = ExecutorRef(name="finn-step", version="1", digest="a" * 64)
NOBODY = 65534


def test_this_user_is_let_in() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        require_same_user(ours)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0bskernel-test-{os.getpid()}")
        listener.listen()
        child = os.fork()
        if child == 0:
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(listener.getsockname())
                other.recv(1)
            os._exit(0)
        connection, _ = listener.accept()
        with connection:
            assert peer_uid(connection) == NOBODY
            with pytest.raises(PermissionError, match=f"user {NOBODY}, not user 0"):
                require_same_user(connection)
        os.waitpid(child, 0)


def test_a_folder_must_be_this_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o700)
    require_private(folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PermissionError):
        require_private(tmp_path / "link")
    folder.chmod(0o710)
    with pytest.raises(PermissionError):
        require_private(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(PermissionError):
        require_private(folder)


def test_another_digest_or_runtime_is_another_session(tmp_path: Path) -> None:
    registry = SessionRegistry(tmp_path)
    other = msgspec.structs.replace(EXECUTOR, digest="b" * 64)
    names = {
        registry.entry(EXECUTOR, "process").path,
        registry.entry(EXECUTOR, "docker").path,
        registry.entry(other, "docker").path,
    }
    assert len(names) == 3
    assert registry.entry(EXECUTOR, "docker").path in names


def test_a_socket_is_found_however_long_its_path_is(tmp_path: Path) -> None:
    registry = SessionRegistry(tmp_path / ("long" * 40))
    registry.create()
    entry = registry.entry(EXECUTOR, "process")
    with entry.hold() as lock, entry.listen() as listener, entry.connect() as connection:
        assert lock is not None
        listener.accept()[0].close()
        assert connection.recv(1) == b""


def test_one_keeper_at_a_time_and_its_place_goes_with_it(tmp_path: Path) -> None:
    entry = SessionEntry(tmp_path / "it")
    with entry.hold() as first, SessionEntry(tmp_path / "it").hold() as second:
        assert first is not None
        assert second is None
    assert list(tmp_path.iterdir()) == []


def test_what_steps_leave_is_cleared_also_what_they_locked(tmp_path: Path) -> None:
    folders = make_folders(tmp_path, "process")
    locked = folders.steps / "00-x" / "work"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0o500)
    (folders.inputs / "00-x").mkdir()
    (folders.steps / "stray").touch()
    (folders.steps / "link").symlink_to(tmp_path)
    assert folders.clear()
    assert [*folders.steps.iterdir(), *folders.inputs.iterdir()] == []
    assert folders.are_ours()
    assert tmp_path.exists()


def test_a_process_that_has_just_ended_takes_no_memory_and_hides_none() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    known = memory_mib([os.getpid(), ended.pid])
    assert known is not None
    assert known > 10
