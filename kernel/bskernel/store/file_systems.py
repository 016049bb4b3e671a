"""How fsspec's file systems are opened and used: with limits, and as far as they differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bskernel.store.settings import SharedSettings

# Where a file appears whole at its name, or not at all; elsewhere it is written beside and renamed.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
_S3_LIMITS = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 0}}
_ATTEMPTS = 2
_SSH_TIMEOUT_S = 10


def writes_whole(fs: Any) -> bool:
    """Does a file appear whole at its name, or not at all?"""
    return not _WHOLE.isdisjoint((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def open_file_system(settings: SharedSettings) -> tuple[Any, str]:
    """The file system of a shared store, and the store's folder on it."""
    import fsspec

    options = dict(settings.options)
    if settings.protocol in ("s3", "s3a"):
        options["config_kwargs"] = _S3_LIMITS | dict(options.get("config_kwargs", {}))
    if settings.protocol in ("ssh", "sftp"):
        # The user's own known hosts: without, any host would be taken for the one that was asked for.
        options = {"known_hosts": (), "connect_timeout": _SSH_TIMEOUT_S} | options
    if settings.protocol in _WHOLE:
        options["use_listings_cache"] = False  # others write too
    fs, root = fsspec.url_to_fs(settings.url, **options, skip_instance_cache=True)
    if settings.protocol in ("s3", "s3a"):
        fs.retries = _ATTEMPTS
    return fs, root


def size_of(fs: Any, path: str) -> int:
    """Bytes of a file. Raises FileNotFoundError."""
    if hasattr(fs, "call_s3"):  # s3fs's `info` asks a second time, whether what is missing is a folder
        bucket, key, _ = fs.split_path(path)
        return int(fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
    return int(fs.info(path)["size"])


def write(fs: Any, path: str, what: str | bytes) -> None:
    """Write bytes, or what is in a file of this machine."""
    if isinstance(what, bytes):
        fs.pipe_file(path, what)
    else:
        fs.put_file(what, path)


def rename(fs: Any, beside: str, path: str, size: int) -> None:
    """Give a file of that size its name; one that has it already must have the same bytes."""
    try:
        fs.mv(beside, path)
    except OSError:
        # Some servers do not rename onto what is there: another writer was first, with the same bytes.
        if not fs.exists(path) or fs.info(path)["size"] != size:
            raise
        fs.rm_file(beside)


def time_of(info: dict[str, Any]) -> float | None:
    """When a file was last written, seconds since the epoch, as its file system says it; None when it does not."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return None
