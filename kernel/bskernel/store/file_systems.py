"""Opens fsspec's file systems with timeouts and hides how they differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bskernel.store.settings import SharedSettings

# Protocols whose writes are atomic; elsewhere a file is written under another name and renamed.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
_S3_LIMITS = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 0}}
_ATTEMPTS = 2
_SSH_TIMEOUT_S = 10


def writes_whole(fs: Any) -> bool:
    """True when the file system's writes are atomic."""
    return not _WHOLE.isdisjoint((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


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
    """The size of a file in bytes. Raises FileNotFoundError."""
    if hasattr(fs, "call_s3"):  # s3fs's `info` makes a second request to check whether a missing key is a folder
        bucket, key, _ = fs.split_path(path)
        return int(fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
    return int(fs.info(path)["size"])


def write(fs: Any, path: str, source: str | bytes) -> None:
    """Write bytes, or the content of a local file."""
    if isinstance(source, bytes):
        fs.pipe_file(path, source)
    else:
        fs.put_file(source, path)


def rename(fs: Any, temporary: str, path: str, size: int) -> None:
    """Rename a file of `size` bytes to `path`; a file that is there already must have the same bytes."""
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
