"""Signatures of Sigstore: an identity's, in place of a key's. Its own library, the extra `sigstore`, makes them.

A bundle is an envelope with a certificate for an identity that Sigstore has checked, and the proof that the signature
is in its public log. To check one takes no network: whom to trust is in the library, or in a file of the user's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.errors import ConfigError, EnvironmentLacking, first_line

SUFFIX = ".sigstore.json"  # of a file with a bundle
_LACKING = "signatures of Sigstore need its library"
_INSTALL = "pip install 'bskernel[sigstore]'"


class SigningIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who must have signed: an e-mail address or the URI of a CI job, and the URL of who vouches for it."""

    name: str
    issuer: str


def open_bundle(data: bytes, identity: SigningIdentity, trusted_root: Path | None) -> tuple[str, bytes]:
    """The payload of a bundle that the identity has signed: its type, and its bytes.

    `trusted_root` is a trusted_root.json of another instance than the public one. Raises ValueError, with the reason,
    for what is no such bundle; ConfigError for no trusted root; EnvironmentLacking without the extra.
    """
    _import()
    from sigstore.errors import Error
    from sigstore.models import Bundle, InvalidBundle
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    verifier = Verifier(trusted_root=_read_root(trusted_root))
    try:
        kind, payload = verifier.verify_dsse(
            Bundle.from_json(data), Identity(identity=identity.name, issuer=identity.issuer)
        )
    except InvalidBundle as error:
        raise ValueError(f"no bundle of Sigstore's: {first_line(error)}") from None
    except Error as error:
        raise ValueError(f"not signed by {identity.name}: {first_line(error)}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"no bundle of Sigstore's: {first_line(error)}") from None
    return str(kind), bytes(payload)


def _read_root(path: Path | None) -> Any:
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig, TrustedRoot

    if path is None:
        return ClientTrustConfig.production(offline=True).trusted_root
    try:
        return TrustedRoot.from_file(str(path))
    except (OSError, ValueError, Error) as error:
        raise ConfigError(
            f"{path}: no trusted root of a Sigstore instance: {first_line(error)}",
            hint="name its trusted_root.json, or leave it out for the public instance",
        ) from None


def sign_bundle(payload: bytes) -> str:
    """A bundle in which the user's identity signs an in-toto statement, as JSON.

    A CI job's identity is taken from its surroundings; a person is asked in a browser. This needs Sigstore's servers.
    Raises EnvironmentLacking without the extra, or if they cannot be reached.
    """
    _import()
    from sigstore.dsse import Statement
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken, Issuer, IssuerError, detect_credential
    from sigstore.sign import SigningContext

    try:
        config = ClientTrustConfig.production()
        found = detect_credential()
        token = IdentityToken(found) if found else Issuer(config.signing_config.get_oidc_url()).identity_token()
        with SigningContext.from_trust_config(config).signer(token) as signer:
            return str(signer.sign_dsse(Statement(payload)).to_json())
    except (OSError, ValueError, Error, IssuerError) as error:
        raise EnvironmentLacking(
            f"Sigstore did not sign: {first_line(error)}",
            hint="it needs the network and an identity; keys need neither: --sign KEY",
        ) from error


def _import() -> None:
    try:
        import sigstore  # noqa: F401
    except ImportError as error:
        raise EnvironmentLacking(f"{_LACKING}: {error}", hint=_INSTALL) from None
