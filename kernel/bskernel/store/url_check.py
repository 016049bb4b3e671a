"""Which URLs and options of a shared store are taken.

fsspec and the libraries behind it take options that start programs, read other files or send data elsewhere, and URLs
that chain file systems. So there is a list of what is taken, and all else is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices

Check = Mapping[str, Any]  # option -> its type, or the options in it
_TEXTS = (str, list)  # a text or a list of texts
_CREDENTIALS = {"key": str, "secret": str, "token": str}
_S3: Check = {
    **_CREDENTIALS,
    "anon": bool,
    "endpoint_url": str,
    "use_ssl": bool,
    "requester_pays": bool,
    "client_kwargs": {"region_name": str, "endpoint_url": str},
    "config_kwargs": {
        "connect_timeout": int | float,
        "read_timeout": int | float,
        "max_pool_connections": int,
        "signature_version": str,
        "s3": {"addressing_style": str},
    },
}
_SSH: Check = {
    "username": str,
    "password": str,
    "port": int,
    "client_keys": _TEXTS,
    "known_hosts": _TEXTS,
    "connect_timeout": int | float,
}
_GOOGLE: Check = {"project": str, "endpoint_url": str, "requester_pays": bool}
_AZURE: Check = {"account_name": str, "account_key": str, "sas_token": str, "anon": bool}
_PROTOCOLS: Mapping[str, Check] = MappingProxyType(
    {
        "file": {},
        "s3": _S3,
        "s3a": _S3,
        "ssh": _SSH,
        "sftp": _SSH,
        "gs": _GOOGLE,
        "gcs": _GOOGLE,
        "abfs": _AZURE,
        "abfss": _AZURE,
        "az": _AZURE,
    }
)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SECRETS = frozenset({*_CREDENTIALS, "password", "username", "account_key", "sas_token", "client_keys", "anon"})


def check_url(protocol: str, url: str) -> None:
    """Raise ConfigError unless a store's URL is of a known file system, and names a plain host."""
    if protocol not in _PROTOCOLS or "::" in url:
        what = f"{protocol}://" if "::" not in url else "a chain of file systems ('::')"
        raise ConfigError(
            f"store.shared: {what} is not taken",
            hint=f"use a folder, s3://bucket/prefix or ssh://host/folder; protocols: {', '.join(sorted(_PROTOCOLS))}",
        )
    if protocol in {"ssh", "sftp"}:
        # A host or user that is no name could be more than that in a ProxyCommand of the user's ~/.ssh/config.
        address = urlsplit(url).netloc.rpartition("@")
        user, host = address[0].partition(":")[0], re.sub(r":[0-9]+$", "", address[2])
        if not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)):
            raise ConfigError(
                "store.shared: the user or the host in the URL is no name", hint="ssh://user@host/folder"
            )


def check_options(protocol: str, options: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that is not taken, with the choices."""
    _check(_PROTOCOLS[protocol], options, "store.options", protocol)


def _check(known: Check, options: Mapping[str, Any], where: str, protocol: str) -> None:
    for name, value in options.items():
        wanted = known.get(name)
        if wanted is None:
            raise ConfigError(
                f"{where}: {name!r} is not taken for {protocol}://",
                hint=choices(name, sorted(known), "options") if known else "a folder takes no options",
            )
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}.{name} must be a table")
            _check(wanted, value, f"{where}.{name}", protocol)
        elif not isinstance(value, wanted) or (
            isinstance(value, list) and not all(isinstance(one, str) for one in value)
        ):
            raise ConfigError(f"{where}.{name}: {value!r} is of the wrong type")


def identifying_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that could make another store of the same URL: all but credentials and time limits."""
    return {
        name: identifying_options(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if name not in _SECRETS and not name.endswith("_timeout")
    }
