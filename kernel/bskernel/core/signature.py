"""Signatures: DSSE envelopes, signed and checked with keys in PEM. Pure.

Source: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md. Keys are ed25519 or ECDSA (P-256, P-384,
P-521). The cryptography is that of the extra `sign`, which is imported when a key is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bskernel.core.errors import ConfigError, EnvironmentLacking, first_line

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

_KINDS = ("ed25519", "ecdsa")
_CHOICES = f"keys are {' or '.join(_KINDS)}, in PEM"


class EnvelopeSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature; `keyid` is a hint that nobody has to believe."""

    keyid: str = ""
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A signed document: its bytes, their type, and who signed them."""

    payload: bytes
    payload_type: str
    signatures: tuple[EnvelopeSignature, ...]


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private key; `name` is what messages call it."""

    name: str
    signer: Any  # CryptoSigner

    @property
    def keyid(self) -> str:
        """The identity of its public key."""
        return str(self.signer.public_key.keyid)


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key; `name` is what messages call it."""

    name: str
    key: Any  # SSlibKey

    @property
    def keyid(self) -> str:
        """Its identity, the same on every machine."""
        return str(self.key.keyid)


def read_signing_key(pem: bytes, name: str) -> SigningKey:
    """A private key from PEM. Raises ConfigError that begins with `name`; EnvironmentLacking without the extra."""
    _require_extra()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    if b"PUBLIC KEY" in pem:
        raise ConfigError(f"{name}: is a public key", hint="sign with the private key of the pair")
    try:
        signer: CryptoSigner = CryptoSigner(load_pem_private_key(pem, password=None))
    except TypeError:
        hint = "decrypt it into a file that only you can read: openssl pkey -in KEY -out PLAIN"
        raise ConfigError(
            f"{name}: is an encrypted key, and there is nobody to ask for its password", hint=hint
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: no private key: {first_line(error)}", hint=_CHOICES) from None
    if signer.public_key.keytype not in _KINDS:
        raise ConfigError(f"{name}: is a key for {signer.public_key.keytype}", hint=_CHOICES)
    return SigningKey(name=name, signer=signer)


def read_public_key(pem: bytes, name: str) -> PublicKey:
    """A public key from PEM. Raises ConfigError that begins with `name`; EnvironmentLacking without the extra."""
    _require_extra()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    if b"PRIVATE KEY" in pem:
        hint = "give the public key of the pair: openssl pkey -in KEY -pubout -out PUBLIC"
        raise ConfigError(f"{name}: is a private key", hint=hint)
    try:
        key: SSlibKey = SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{name}: no public key: {first_line(error)}", hint=_CHOICES) from None
    if key.keytype not in _KINDS:
        raise ConfigError(f"{name}: is a key for {key.keytype}", hint=_CHOICES)
    return PublicKey(name=name, key=key)


def sign(payload: bytes, payload_type: str, key: SigningKey) -> Envelope:
    """An envelope with one signature. With ed25519, equal payloads give equal envelopes."""
    signature = key.signer.sign(_signed_bytes(payload, payload_type))
    made = EnvelopeSignature(keyid=key.keyid, sig=bytes.fromhex(signature.signature))
    return Envelope(payload=payload, payload_type=payload_type, signatures=(made,))


def is_signed_by(envelope: Envelope, key: PublicKey) -> bool:
    """True if one of the signatures is this key's, whatever keys it names."""
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer import Signature

    signed = _signed_bytes(envelope.payload, envelope.payload_type)
    for signature in envelope.signatures:
        try:
            key.key.verify_signature(Signature(key.keyid, signature.sig.hex()), signed)
        except UnverifiedSignatureError:
            continue
        return True
    return False


def encode_envelope(envelope: Envelope) -> bytes:
    """The envelope as JSON in one line."""
    return msgspec.json.encode(envelope) + b"\n"


def decode_envelope(data: bytes) -> Envelope:
    """An envelope from JSON. Raises ValueError, and nothing else, for anything but an envelope."""
    try:
        return msgspec.json.decode(data, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"no DSSE envelope: {error}") from None
    except RecursionError:
        raise ValueError("no DSSE envelope: it nests too deep") from None


def _signed_bytes(payload: bytes, payload_type: str) -> bytes:
    """What is signed: the type and the payload, with their lengths."""
    from securesystemslib.dsse import Envelope as Dsse

    return Dsse(payload, payload_type, {}).pae()


def _require_extra() -> None:
    try:
        import cryptography  # noqa: F401
        import securesystemslib  # noqa: F401
    except ImportError as error:
        raise EnvironmentLacking(
            f"signatures need {error.name}, which is not installed",
            hint="uv pip install 'bskernel[sign]', or pip install 'bskernel[sign]'",
        ) from None
