"""What a hostile step tries on its server, on another step of its session and on the machine.

Each attempt raises OSError if the system prevents it, and returns if it does not.
"""

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_CLONE_NEWUSER = 0x10000000
_AT_FDCWD = -100


def _call(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _trace(pid: int) -> None:
    _call(_libc.ptrace(_PTRACE_ATTACH, pid, 0, 0))
    os.waitpid(pid, 0)
    _libc.ptrace(_PTRACE_DETACH, pid, 0, 0)


def _siblings(server: int) -> list[int]:
    """The server's other children; they are visible in /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == server:
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def _connect(family: int, kind: int, address: tuple[str, int] | str) -> None:
    with socket.socket(family, kind) as connection:
        connection.settimeout(2)
        connection.connect(address)


def _each(pids: list[int], act: Callable[[int], None]) -> None:
    assert pids
    for pid in pids:
        act(pid)


def attempts(own: Path, other: Path, outside: Path, server: int, home: Path) -> dict[str, Callable[[], object]]:
    """Attempts by name: of a step in `own` on the step in `other`, on the user's folder `outside`, on its server."""
    theirs = other / "out" / "model"
    given = (other / "in").resolve()

    def replace(name: str, make: Callable[[Path], None]) -> None:
        path = own / name
        path.unlink(missing_ok=True)
        make(path)

    def descend() -> None:
        os.chdir(other)
        Path("out/model").write_text("666")

    return {
        "write another step's output": lambda: theirs.write_text("666"),
        "create another step's output": lambda: (other / "out" / "more").touch(),
        "remove another step's output": theirs.unlink,
        "move another step's outputs": lambda: (other / "out").rename(own / "work" / "taken"),
        "truncate another step's output": lambda: os.truncate(theirs, 0),
        "change into another step's folder": descend,
        "read another step's output": theirs.read_bytes,
        "list another step's folder": lambda: list((other / "out").iterdir()),
        "link another step's output": lambda: os.link(theirs, own / "out" / "linked"),
        "replace another step's manifest": lambda: (other / "manifest.msgpack").write_bytes(b""),
        "read another step's input": lambda: (given / "model").read_bytes(),
        "write another step's input": lambda: (given / "model").write_text("666"),
        "write an input": lambda: (own / "in" / "model").write_text("666"),
        "create a step's folder": lambda: (own.parent / "next").mkdir(),
        "link its log": lambda: replace("log.jsonl", lambda path: path.symlink_to("/etc/passwd")),
        "make its result a pipe": lambda: replace("result.msgpack", os.mkfifo),
        "make a device": lambda: os.mknod(own / "work" / "device", 0o20666, os.makedev(1, 3)),
        "write to the session's home": lambda: (home / "left").write_text("for others"),
        "write to /tmp": lambda: Path("/tmp/bskernel-attempt").write_text("for others"),
        "write to its code": lambda: Path(__file__).with_name("left.py").write_text(""),
        "read the user's files": (outside / "secret").read_bytes,
        "write the user's files": lambda: (outside / "secret").write_text("666"),
        "list the user's files": lambda: os.listdir(outside),  # noqa: PTH208
        "change a mode of the user's files": lambda: (outside / "secret").chmod(0o666),
        "change a time of the user's files": lambda: os.utime(outside / "secret", (0, 0)),
        "change a mode of another step's output": lambda: (other / "out").chmod(0o000),
        "change a time of another step's output": lambda: os.utime(other / "out", (0, 0)),
        "mark another step's output": lambda: os.setxattr(other / "out", "user.mark", b"1"),
        "read passwords": Path("/etc/shadow").read_bytes,
        "trace its server": lambda: _trace(server),
        "read its server's memory": lambda: Path(f"/proc/{server}/mem").open("rb"),
        "write its server's memory": lambda: Path(f"/proc/{server}/mem").open("r+b"),
        "read its server's environment": Path(f"/proc/{server}/environ").read_bytes,
        "open its server's channel": lambda: Path(f"/proc/{server}/fd/1").open("wb"),
        "signal its server": lambda: os.kill(server, 0),
        "signal its server by handle": lambda: signal.pidfd_send_signal(os.pidfd_open(server), 0),
        "trace another step": lambda: _each(_siblings(server), _trace),
        "slow down its server": lambda: os.setpriority(os.PRIO_PROCESS, server, 19),
        "slow down all of the user's": lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19),
        "let its server run when idle": lambda: os.sched_setscheduler(server, os.SCHED_IDLE, os.sched_param(0)),
        "let its server read when idle": lambda: _call(_libc.syscall(251, 1, server, 3 << 13)),
        "kill for memory its server first": lambda: Path(f"/proc/{server}/oom_score_adj").write_text("1000"),
        "be killed last for memory": lambda: Path("/proc/self/oom_score_adj").write_text("-1000"),
        "signal another step": lambda: _each(_siblings(server), lambda pid: os.kill(pid, 0)),
        "signal another step's group": lambda: _each(_siblings(server), lambda pid: os.killpg(pid, 0)),
        "limit its server": lambda: _call(_libc.prlimit(server, 7, ctypes.create_string_buffer(16), None)),
        "share memory": lambda: _call(_libc.shmget(1, 4096, 0o1666)),
        "connect by TCP": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 9)),
        "send by UDP": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
        "connect to the engine": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, "/run/docker.sock"),
        "connect to a session's bus": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0bus"),
        "make a namespace": lambda: _call(_libc.unshare(_CLONE_NEWUSER)),
        "mount": lambda: _call(_libc.mount(b"none", str(own / "work").encode(), b"tmpfs", 0, None)),
        "change root": lambda: os.chroot(own),
        "use the keyring": lambda: _call(_libc.syscall(250, 0, -4, 1, 0, 0)),
        "use io_uring": lambda: _call(_libc.syscall(425, 1, ctypes.create_string_buffer(120))),
        "trace by descriptor": lambda: _call(_libc.syscall(438, os.pidfd_open(server), 0, 0)),
        "become root": lambda: _call(_libc.setresuid(0, 0, 0)) if os.getuid() else os.setgroups([1]),
    }
