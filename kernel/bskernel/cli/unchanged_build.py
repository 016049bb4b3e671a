"""A `bskernel run` that was made before, in the same surroundings, and has nothing to do: known from one file.

A build that recalled every step leaves a record in the cache (`unchanged_record`): what it printed and wrote, and the
`stat` of everything that it looked at. If all of that is the same, the next build prints and writes the same again
before anything else is imported. Whatever differs, or cannot be told, leads to the whole command.

A file's `stat` tells whether it changed as in `store.file_digests`: programs cannot set its change time back.
"""

from __future__ import annotations

import os
import sys
import time

from bskernel.core.cache_folders import SESSIONS, WITH_TEMPORARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = "unchanged"  # in the cache
FIELDS = (
    "surroundings",
    "until",  # the time, in seconds since the epoch, from which a result's last use must be noted again
    "output",  # the build directory
    "names",  # of what is in it, separated by slashes
    "stderr",
    "stdout",  # what was printed, up to the time that the build took
    "stdout_end",
    "time",  # how that time is written: as in a pipe, or as for people at a terminal
    "result",  # result.json up to those seconds
    "result_end",
    "log",
    "written",  # what .written holds, up to the digest of result.json
    "written_end",
    "closed",  # what .closed holds, up to the digest of the log
    "closed_end",
    "files",  # how many files are told by their `stat`, their paths may be links,
    "own_files",  # how many where a link is not followed,
    "folders",  # and how many folders only have to be the same one: pairs of path and `stat` follow
)
PLAIN, HUMANE = b"plain", b"humane"
TIME = b"\x01"  # stands for the time of day in the log
RESULT, LOG, WRITTEN, CLOSED = "result.json", "log.jsonl", ".written", ".closed"
REWRITTEN = (RESULT, LOG, WRITTEN, CLOSED)  # by every build, whatever is in them
_MAGIC = b"bskernel-unchanged-2"
_SEALED = b"bskernel-sealed-1\n"  # as in store.seal
_LARGEST = 64 << 20  # bytes
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN
_IDLE = frozenset({"_", "SHLVL", "OLDPWD"})  # variables that shells change and nothing here reads
_KIND, _FILE = 0o170000, 0o100000  # S_IFMT, S_IFREG: `stat` is not imported
_given: tuple[bytes, str] | None = None


def repeat() -> bool:
    """Do again what the recorded build did, if nothing has changed since; False when the command must run."""
    global _given  # of this process, as it was started
    begun = time.monotonic()
    if sys.argv[1:2] != ["run"]:
        return False
    try:
        cache = _cache()
        name = sha256("\0".join([os.getcwd(), *sys.argv[1:]]).encode("utf-8", "surrogateescape"))
        _given = _surroundings(), f"{cache}/{FOLDER}/{name}"
        parts = _read(_given[1])
        record = dict(zip(FIELDS, parts, strict=False))
        if record["surroundings"] != _given[0] or int(record["until"]) < time.time() or not is_idle(cache):
            return False
        return _repeat(cache, record, parts[len(FIELDS) :], begun)
    except (OSError, ValueError, LookupError):
        return False


def given() -> tuple[bytes, str] | None:
    """The surroundings in which this process was started, and the path of the record that belongs to them."""
    return _given


def sha256(data: bytes) -> str:
    """The digest of bytes, in hexadecimal. `hashlib` loads OpenSSL, which takes as long as all else here."""
    from _sha256 import sha256 as hashed  # type: ignore[import-not-found]  # of the standard library

    digest: str = hashed(data).hexdigest()
    return digest


def _surroundings() -> bytes:
    """The digest, in hexadecimal, of all that a command is given besides files."""
    parts = [*sys.path, sys.executable, sys.version, os.getcwd(), *sys.argv]
    parts += [f"{name}={value}" for name, value in sorted(os.environ.items()) if name not in _IDLE]
    umask = os.umask(0o077)
    os.umask(umask)
    parts.append(repr((os.getresuid(), os.getresgid(), umask, sorted(os.sched_getaffinity(0)))))
    parts += [repr(tuple(os.get_terminal_size(stream))) if os.isatty(stream) else "" for stream in (1, 2)]
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        parts.append(file.read())
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).encode()


def identity(status: os.stat_result) -> bytes:
    """What of a file's `stat` changes when the file does."""
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_mode} {status.st_size} {times} {status.st_ino} {status.st_dev}".encode()


def place(status: os.stat_result) -> bytes:
    """What of a folder's `stat` is the same for as long as it is that folder, whatever is put into it."""
    return f"{status.st_mode} {status.st_ino} {status.st_dev}".encode()


def found(path: bytes | str, look: Callable[[bytes | str], os.stat_result], tell: Callable[..., bytes]) -> bytes:
    """What a `stat` tells; nothing where nothing is."""
    try:
        return tell(look(path))
    except (FileNotFoundError, NotADirectoryError):
        return b""


def encoded(head: Mapping[str, bytes], pairs: list[bytes]) -> bytes:
    """The bytes of a record. Raises ValueError for a field with a NUL, KeyError for one that lacks."""
    parts = [*(head[name] for name in FIELDS), *pairs]
    body = b"\0".join(parts)
    if body.count(b"\0") != len(parts) - 1:
        raise ValueError("a field with a NUL")
    return b"\n".join((_MAGIC, sha256(body).encode(), body))


def _cache() -> str:
    """The cache folder, as images.environment has it. Raises ValueError, KeyError where only that can tell."""
    named = os.environ.get("BSKERNEL_CACHE")
    if named:
        return os.path.realpath(named)
    base = os.environ.get("XDG_CACHE_HOME") or f"{os.environ['HOME']}/.cache"
    if not base.startswith("/"):
        raise ValueError("no absolute path")
    return f"{base}/bskernel"


def _read(path: str) -> list[bytes]:
    """The parts of a record. Raises OSError, ValueError unless it is whole and nobody else can have written it."""
    file = os.open(path, os.O_RDONLY | _PLAIN)
    with open(file, "rb", buffering=0) as opened:
        status = os.fstat(file)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022 or status.st_mode & _KIND != _FILE:
            raise ValueError("not this user's own file")
        data = opened.read(_LARGEST)
    magic, digest, body = data.split(b"\n", 2)
    if magic != _MAGIC or digest != sha256(body).encode():
        raise ValueError("damaged")
    return body.split(b"\0")


def is_idle(cache: str) -> bool:
    """True when the cache holds no session, and no temporary file: a command would look at their owners."""
    for name in (*SESSIONS, *WITH_TEMPORARY):
        try:
            names = os.listdir(f"{cache}/{name}")
        except FileNotFoundError:
            continue
        if names if name in SESSIONS else any(".tmp-" in one for one in names):
            return False
    return True


def _repeat(cache: str, record: Mapping[str, bytes], pairs: list[bytes], begun: float) -> bool:
    import fcntl

    output = os.fsdecode(record["output"])
    with open(os.open(f"{cache}/in-use", os.O_RDWR | _PLAIN), "rb") as use:
        fcntl.flock(use, fcntl.LOCK_SH | fcntl.LOCK_NB)  # keeps garbage collection out
        with open(os.open(f"{output}/.bskernel-output", os.O_RDWR | _PLAIN), "rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_same(output, record, pairs):
                return False
            seconds = _write(output, record, begun)
    # All is written: from here on nothing may lead to the whole command.
    sys.stderr.flush()
    sys.stderr.buffer.write(record["stderr"])
    sys.stderr.buffer.flush()
    sys.stdout.buffer.write(record["stdout"] + _time(record["time"], seconds) + record["stdout_end"])
    return True


def _time(style: bytes, seconds: float) -> bytes:
    """The time as it is printed; at a terminal as report.human_units has it."""
    if style == HUMANE:
        return b"0 s" if seconds == 0 else b"%.0f ms" % (1000 * seconds) if seconds < 1 else b"%.3g s" % seconds
    return b"%.2f s" % seconds if style else b""


def _is_same(output: str, record: Mapping[str, bytes], pairs: list[bytes]) -> bool:
    """True when everything that the recorded build looked at is as it was."""
    counts = [int(record[name]) for name in ("files", "own_files", "folders")]
    if len(pairs) != 2 * sum(counts):
        return False
    rest = iter(pairs)
    for count, look, tell in zip(counts, (os.stat, os.lstat, os.lstat), (identity, identity, place), strict=True):
        for _ in range(count):
            if found(next(rest), look, tell) != next(rest):
                return False
    if "/".join(sorted(os.listdir(output))) != os.fsdecode(record["names"]):
        return False
    return all(os.lstat(f"{output}/{name}").st_mode & _KIND == _FILE for name in REWRITTEN)


def _write(output: str, record: Mapping[str, bytes], begun: float) -> float:
    """Write what every build writes, in the order in which builds do; returns the seconds that it took.

    Raises OSError; then the last build's result is there again.
    """
    result, last = f"{output}/{RESULT}", f"{output}/.{RESULT}.last"
    os.unlink(f"{output}/{CLOSED}")
    os.rename(result, last)
    try:
        moment = time.time_ns()
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // 10**9))
        log = record["log"].replace(TIME, f"{second}.{moment // 1000 % 10**6:06}Z".encode())
        os.unlink(f"{output}/{LOG}")
        _put(f"{output}/{LOG}", log)
        seconds = round(time.monotonic() - begun, 3)
        data = record["result"] + repr(seconds).encode() + record["result_end"]
        _replace(output, WRITTEN, _sealed(WRITTEN, record, "written", data))
        _replace(output, RESULT, data)
    except BaseException:
        os.rename(last, result)
        raise
    os.unlink(last)
    _replace(output, CLOSED, _sealed(CLOSED, record, "closed", log))
    return seconds


def _sealed(name: str, record: Mapping[str, bytes], field: str, data: bytes) -> bytes:
    body = record[field] + sha256(data).encode() + record[f"{field}_end"]
    return _SEALED + bytes.fromhex(sha256(f"{name}\0".encode() + body)) + body


def _replace(output: str, name: str, data: bytes) -> None:
    temporary = f"{output}/.{name}.new"
    _put(temporary, data)
    os.replace(temporary, f"{output}/{name}")


def _put(path: str, data: bytes) -> None:
    with open(os.open(path, _NEW, 0o666), "wb", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
