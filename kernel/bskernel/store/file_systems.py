"""Opens fsspec's file systems with timeouts and hides how they differ."""

from __future__ import annotations

import errno
import os
import stat
from datetime import datetime
from typing import Any

from bskernel.remains import plain_files
from bskernel.remains.plain_files import move, open_plain, read_plain, write_new
from bskernel.store.settings import SharedSettings

# Protocols whose writes are atomic; elsewhere a file is written under another name and renamed.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
_SSH = {"ssh", "sftp"}
_S3_LIMITS = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 0}}
_ATTEMPTS = 2
_CHUNK = 1 << 20  # bytes
_SSH_TIMEOUT_S = 10


def writes_whole(fs: Any) -> bool:
    """True when the file system's writes are atomic."""
    return not _WHOLE.isdisjoint(_protocols(fs))


def open_file_system(settings: SharedSettings) -> tuple[Any, str]:
    """The file system of a shared store, and the store's folder on it."""
    import fsspec

    options = dict(settings.options)
    if settings.protocol in ("s3", "s3a"):
        options["config_kwargs"] = _S3_LIMITS | dict(options.get("config_kwargs", {}))
    if settings.protocol in ("ssh", "sftp"):
        # The user's own known hosts: without this, asyncssh would accept any host.
        options = {"known_hosts": (), "connect_timeout": _SSH_TIMEOUT_S} | options
    if settings.protocol in _WHOLE:
        options["use_listings_cache"] = False  # other machines write too
    fs, root = fsspec.url_to_fs(settings.url, **options, skip_instance_cache=True)
    if settings.protocol in ("s3", "s3a"):
        fs.retries = _ATTEMPTS
    return fs, root


def size_of(fs: Any, path: str) -> int:
    """The size of a file in bytes. Raises FileNotFoundError, also for what is no plain file on this machine."""
    if "file" in _protocols(fs):
        try:
            status = os.lstat(path)
        except NotADirectoryError as error:
            raise FileNotFoundError(path) from error
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(path)
        return status.st_size
    if hasattr(fs, "call_s3"):  # s3fs's `info` makes a second request to check whether a missing key is a folder
        bucket, key, _ = fs.split_path(path)
        return int(fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
    return int(fs.info(path)["size"])


class NotWhole(Exception):  # noqa: N818 - what was found, not an error of the store
    """A file of a shared store that is longer than it may be, or no plain file, or cannot be read."""


def download(fs: Any, path: str, target: str, limit: int) -> None:
    """Copy a file of at most `limit` bytes to a new local file.

    Ends as soon as more bytes come. Raises FileNotFoundError, NotWhole, and what the file system raises.
    """
    if "file" in _protocols(fs):
        _copy_plain(path, target, limit)
        return
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        """Raises NotWhole as soon as the size or what has been read exceeds the limit."""

        def set_size(self, size: int | None) -> None:
            _check_size(size or 0, limit)
            super().set_size(size)

        def absolute_update(self, value: int) -> None:
            _check_size(value, limit)
            super().absolute_update(value)

        def relative_update(self, inc: int = 1) -> None:
            _check_size(self.value + inc, limit)
            super().relative_update(inc)

    fs.get_file(path, target, callback=Limit())
    if not os.path.isfile(target):  # a folder in the file's place
        raise NotWhole
    _check_size(os.path.getsize(target), limit)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise NotWhole


def _copy_plain(path: str, target: str, limit: int) -> None:
    try:
        source = open_plain(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(path) from error
    except OSError as error:
        # Only this file, not the whole store: a link, a folder, a FIFO, or one without permission.
        if error.errno in {errno.ELOOP, errno.EEXIST, errno.EISDIR, errno.ENXIO} or os.path.lexists(path):
            raise NotWhole from error
        raise
    with open(source, "rb", buffering=0) as opened, open(target, "xb", buffering=0) as copy:
        left = limit + 1
        while left and (data := opened.read(min(left, _CHUNK))):
            copy.write(data)
            left -= len(data)
    _check_size(limit + 1 - left, limit)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def write(fs: Any, path: str, source: str | bytes) -> None:
    """Write bytes, or the content of a local file; on this machine to a file that must not exist."""
    if isinstance(source, bytes) and "file" in _protocols(fs):
        write_new(path, source)
    elif isinstance(source, bytes):
        fs.pipe_file(path, source)
    else:
        fs.put_file(source, path)


def create(fs: Any, path: str, data: bytes) -> bool:
    """Write a small new file; False when there is one already, also if another machine writes it at the same time.

    Raises NotImplementedError where the file system cannot tell.
    """
    protocols = _protocols(fs)
    try:
        if "file" in protocols:
            write_new(path, data)
        elif not _WHOLE.isdisjoint(protocols):
            fs.pipe_file(path, data, mode="create")  # S3: PUT with If-None-Match
        elif not _SSH.isdisjoint(protocols):
            with fs.open(path, "xb") as file:
                file.write(data)
        else:
            raise NotImplementedError(f"{protocols[0]}: no file can be created exclusively")
    except FileExistsError:
        return False
    except NotImplementedError:
        raise
    except Exception:
        # SFTP does not say why it refuses.
        if read_small(fs, path, 1) is None:
            raise
        return False
    return True


def overwrite(fs: Any, path: str, data: bytes) -> None:
    """Write a small file that exists. Who reads it meanwhile may find a part."""
    if "file" in _protocols(fs):
        with open(open_plain(path, os.O_WRONLY | os.O_CREAT), "wb", buffering=0) as file:
            file.write(data)
            file.truncate()
    else:
        write(fs, path, data)


def read_small(fs: Any, path: str, limit: int) -> bytes | None:
    """The first `limit` bytes of a file; None when there is none, or on this machine a longer one."""
    protocols = _protocols(fs)
    if "file" in protocols:
        return read_plain(path, limit)
    try:
        if _SSH.isdisjoint(protocols):
            return bytes(fs.cat_file(path, start=0, end=limit))
        with fs.open(path, "rb") as file:
            return bytes(file.read(limit))
    except FileNotFoundError:
        return None


def make_folder(fs: Any, path: str) -> None:
    """Make a folder with its parents."""
    if "file" in _protocols(fs):
        plain_files.make_folder(path)
    else:
        fs.makedirs(path, exist_ok=True)


def rename(fs: Any, temporary: str, path: str, size: int) -> None:
    """Rename a file of `size` bytes to `path`; a file that is there already must have the same bytes."""
    if "file" in _protocols(fs):
        move(temporary, path)
        return
    try:
        fs.mv(temporary, path)
    except OSError:
        # Some servers do not rename onto an existing file: another writer was first, with the same bytes.
        if not fs.exists(path) or fs.info(path)["size"] != size:
            raise
        fs.rm_file(temporary)


def time_of(info: dict[str, Any]) -> float | None:
    """When a file was last written, in seconds since the epoch; None when the file system does not report it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None
