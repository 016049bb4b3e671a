"""The settings of the shared store: its URL, its mode, and how to show it without credentials."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bskernel.config import StoreMode, StoreSection
from bskernel.config.reader import read_text
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.signature import read_public_key, read_signing_key
from bskernel.store.url_check import check_options, check_url, identifying_options

# The libraries that fsspec needs: protocol -> (module, extra of bskernel that installs it)
_NEEDS = {"file": ("fsspec", "shared"), "local": ("fsspec", "shared"), "s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}
_NEEDS |= {"ssh": ("sshfs", "ssh"), "sftp": ("sshfs", "ssh")}
_LONGEST = 300  # characters of an error that are shown


class KeyText(msgspec.Struct, frozen=True, kw_only=True):
    """A key in PEM, and the name of its file for messages."""

    name: str
    pem: str

    def __repr__(self) -> str:
        return f"KeyText({self.name!r})"


class SharedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything another process needs to open the same shared store. It may hold credentials."""

    url: str  # an fsspec URL or an absolute path
    mode: StoreMode = "read-only"
    options: dict[str, Any] = {}  # of the fsspec file system, e.g. endpoint_url
    signed_by: tuple[KeyText, ...] = ()  # public keys: with any, only results that one of them signed count
    sign_with: KeyText | None = None  # the private key that signs what is written
    users: bool = False  # the user named it, not a project: every build may recall what came from it

    @property
    def protocol(self) -> str:
        """The URL's protocol; `file` for a plain path."""
        return self.url.partition("://")[0] if "://" in self.url else "file"

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        if "://" not in self.url:
            return self.url
        head, _, rest = self.url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{head}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"

    @property
    def name(self) -> str:
        """A name that identifies this store within a cache, the same for all users and credentials.

        A store at another place has another name: results are recalled by it.
        """
        if self.protocol == "file":
            return hashlib.sha256(self.url.encode(errors="surrogateescape")).hexdigest()[:32]
        options = identifying_options(self.options)
        if self.protocol in ("s3", "s3a"):
            found = (os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
            options.setdefault("endpoint_url", next((url for url in found if url), ""))
        head, _, rest = self.url.partition("://")
        host, _, path = rest.partition("/")
        text = f"{head}://{host.rpartition('@')[2]}/{path}\0{msgspec.json.encode(options, order='sorted').decode()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def origin(self) -> str:
        """The origin of results that come from it: its name, or nothing if it is the user's own.

        With signatures it is another one: what was recalled without them is not recalled now.
        """
        return "" if self.users else self.identity

    @property
    def identity(self) -> str:
        """A name that also tells whose signatures count."""
        keys = "\0".join(sorted(key.pem for key in self.signed_by))
        return f"{self.name}-{hashlib.sha256(keys.encode()).hexdigest()[:16]}" if keys else self.name

    def __repr__(self) -> str:
        return f"SharedSettings({self.shown!r}, {self.mode!r}, options: {', '.join(self.options) or 'none'})"

    def without_secrets(self, error: BaseException) -> str:
        """An error's text on one line, without credentials."""
        from bskernel.core.redaction import Redactor, secrets_in

        redactor = Redactor({}, [*_secrets_of(self), *secrets_in(os.environ)], paths=False)
        if isinstance(error, OSError) and error.strerror and error.filename:
            text = f"{error.filename}: {error.strerror}"
        else:
            text = " ".join(str(error).split()) or type(error).__name__
        return redactor.text(text)[:_LONGEST]


def shared_settings(section: StoreSection, folder: Path) -> SharedSettings | None:
    """The shared store of a configuration whose paths are relative to `folder`; None without one.

    Raises EnvironmentLacking when a library is not installed, ConfigError for a URL or options that are not taken.
    """
    if not section.shared:
        return None
    url = section.shared
    if url.startswith(("file:", "local:")):
        url = url.partition(":")[2]
        url = "/" + url.lstrip("/") if url.startswith("//") else url
    if "://" not in url:
        url = str((folder / Path(url).expanduser()).resolve())
    settings = SharedSettings(url=url, mode=section.mode, options=section.options)
    check_url(settings.protocol, settings.url)
    check_options(settings.protocol, settings.options)
    _check_installed(settings)
    return _with_keys(settings, section, folder)


def _with_keys(settings: SharedSettings, section: StoreSection, folder: Path) -> SharedSettings:
    """The settings with the keys that a configuration names. Raises ConfigError, EnvironmentLacking."""
    if not section.signed_by:
        if section.sign_with is None:
            return settings
        raise ConfigError(
            "store.sign_with: store.signed_by is not set",
            hint='name the public keys whose results count, e.g. signed_by = ["keys/ci.pub"]',
        )
    texts = tuple(_key_text(folder, name) for name in section.signed_by)
    public = [read_public_key(text.pem.encode(), text.name) for text in texts]
    settings = msgspec.structs.replace(settings, signed_by=texts)
    if settings.mode == "read-only":
        return settings
    if section.sign_with is None:
        raise ConfigError(
            f"store.mode = {settings.mode}: with store.signed_by, results are written with a signature, and"
            " store.sign_with names no key",
            hint='set store.sign_with or BSKERNEL_STORE_SIGN_WITH to the private key, or store.mode = "read-only"',
        )
    secret = _key_text(folder, section.sign_with)
    if read_signing_key(secret.pem.encode(), secret.name).keyid not in {key.keyid for key in public}:
        raise ConfigError(
            f"store.sign_with = {section.sign_with}: its public key is not in store.signed_by",
            hint="what it signs would count for nobody: add its public key there",
        )
    return msgspec.structs.replace(settings, sign_with=secret)


def _key_text(folder: Path, name: str) -> KeyText:
    return KeyText(name=name, pem=read_text(folder / Path(name).expanduser()))


def _check_installed(settings: SharedSettings) -> None:
    module, extra = _NEEDS.get(settings.protocol, ("fsspec", "shared"))
    for library in ("fsspec", module):
        if importlib.util.find_spec(library) is None:
            raise EnvironmentLacking(
                f"the shared store {settings.shown} needs {library}, which is not installed",
                hint=f"uv pip install 'bskernel[{extra}]', or pip install 'bskernel[{extra}]'",
            )
    if settings.protocol in _NEEDS:
        return
    import fsspec

    try:
        fsspec.get_filesystem_class(settings.protocol)
    except ImportError as error:
        raise EnvironmentLacking(
            f"the shared store {settings.shown} needs a library that is not installed: {error}",
            hint="install it in bskernel's environment; see docs/shared-store.md",
        ) from error


def _secrets_of(settings: SharedSettings) -> Iterator[str]:
    from bskernel.core.redaction import secrets_in

    flat = dict(_flat(settings.options))
    yield from secrets_in(flat)
    yield from (text for name, text in flat.items() if name.rpartition(".")[2].endswith("key"))
    if "://" in settings.url and "@" in settings.url:
        parts = urlsplit(settings.url)
        yield from (text for text in (parts.password, parts.username if parts.password else None) if text)


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
