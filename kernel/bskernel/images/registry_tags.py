"""Asks a registry which tags a repository has, for a hint. The engine's API cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

_WAIT_S = 10
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+)(:[0-9]+)?")
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')


def registry_of(repository: str) -> str:
    """The registry's host and port; docker.io if the repository names none."""
    host, slash, _ = repository.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else "docker.io"


def tags_in(repository: str) -> tuple[str, ...] | None:
    """The tags of a repository; None if the registry does not say.

    Protocol: OCI distribution specification 1.0, "Listing Tags"; tokens as in Docker's registry.
    """
    import requests
    from docker.auth import load_config

    registry = registry_of(repository)
    path = repository.removeprefix(f"{registry}/")
    # A credential helper's answer has capital letters.
    known = {key.lower(): value for key, value in (load_config().resolve_authconfig(registry) or {}).items()}
    login = (known["username"], known["password"]) if known.get("username") else None
    for scheme in ("https", "http") if _LOCAL.fullmatch(registry) else ("https",):
        url = f"{scheme}://{registry}/v2/{path}/tags/list"
        try:
            answer = requests.get(url, auth=login, timeout=_WAIT_S)
            if answer.status_code == 401:
                answer = requests.get(url, headers=_token(answer, login), timeout=_WAIT_S)
            tags = answer.json()["tags"] if answer.ok else None
            return tuple(str(tag) for tag in tags or ()) if answer.ok else None
        except (requests.RequestException, ValueError, KeyError, TypeError):
            continue
    return None


def _token(refused: requests.Response, login: Any) -> dict[str, str]:
    import requests

    asked = dict(_CHALLENGE.findall(refused.headers.get("WWW-Authenticate", "")))
    realm = asked.pop("realm", "")
    if not realm.startswith("https://"):  # the login would be readable on its way
        return {}
    token = requests.get(realm, params=asked, auth=login, timeout=_WAIT_S).json()
    return {"Authorization": f"Bearer {token.get('token') or token.get('access_token')}"}
