"""Envelopes: signed and checked as the specification of DSSE says, whatever bytes are in them."""

import base64
import contextlib
import json
import sys
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.signature import (
    decode_envelope,
    encode_envelope,
    is_signed_by,
    read_public_key,
    read_signing_key,
    sign,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Reference
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from support.signing_keys import PrivateKey, private_pem, public_pem

TYPE = "application/vnd.in-toto+json"
FIXED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
SIGNING, PUBLIC = read_signing_key(private_pem(FIXED), "ci.pem"), read_public_key(public_pem(FIXED), "ci.pub")
GOLDEN = Path(__file__).parent / "golden" / "envelope.json"


def test_the_bytes_of_an_envelope_are_those_of_the_golden_file() -> None:
    assert encode_envelope(sign(b'{"a": 1}', TYPE, SIGNING)) == GOLDEN.read_bytes()


@pytest.mark.parametrize("key", [FIXED, P256, P384], ids=["ed25519", "p256", "p384"])
@given(payload=st.binary(), kind=st.text(max_size=20))
def test_what_is_signed_is_valid_for_the_key_and_for_no_other(key: PrivateKey, payload: bytes, kind: str) -> None:
    made = encode_envelope(sign(payload, kind, read_signing_key(private_pem(key), "k")))
    envelope = decode_envelope(made)
    assert (envelope.payload, envelope.payload_type) == (payload, kind)
    public = read_public_key(public_pem(key), "k")
    assert is_signed_by(envelope, public)
    assert not is_signed_by(envelope, read_public_key(public_pem(OTHER), "other"))
    # The reference says the same, and so does plain cryptography of what the specification says is signed.
    reference = Reference.from_dict(json.loads(made))
    reference.verify([SSlibKey.from_crypto(key.public_key())], 1)
    with pytest.raises(VerificationError):
        reference.verify([SSlibKey.from_crypto(OTHER.public_key())], 1)
    encoded = kind.encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(encoded), encoded, len(payload), payload)
    signature = base64.b64decode(json.loads(made)["signatures"][0]["sig"])
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = hashes.SHA256() if key is P256 else hashes.SHA384()
        key.public_key().verify(signature, signed, ec.ECDSA(algorithm))
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        key.public_key().verify(signature, signed)


def test_a_signature_counts_whatever_key_it_names() -> None:
    document = json.loads(GOLDEN.read_text())
    document["signatures"][0]["keyid"] = "somebody's"
    assert is_signed_by(decode_envelope(json.dumps(document).encode()), PUBLIC)
    del document["signatures"][0]["keyid"]
    document["signatures"].insert(0, {"sig": "AAAA"})
    assert is_signed_by(decode_envelope(json.dumps(document).encode()), PUBLIC)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_leaves_no_valid_envelope_of_another_document(at: int, bit: int) -> None:
    data = bytearray(GOLDEN.read_bytes())
    data[at % len(data)] ^= 1 << bit
    with contextlib.suppress(ValueError):
        envelope = decode_envelope(bytes(data))
        if is_signed_by(envelope, PUBLIC):
            assert (envelope.payload, envelope.payload_type) == (b'{"a": 1}', TYPE)


@given(st.binary() | st.integers(1, 3000).map(lambda depth: b"[" * depth) | st.text().map(str.encode))
def test_any_bytes_are_an_envelope_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        is_signed_by(decode_envelope(data), PUBLIC)


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (b"", "ci.pem: no private key"),
        (b"\xff\x00", "ci.pem: no private key"),
        (public_pem(FIXED), "ci.pem: is a public key"),
        (private_pem(FIXED, b"secret"), "ci.pem: is an encrypted key"),
        (private_pem(rsa.generate_private_key(65537, 2048)), "ci.pem: is a key for rsa"),
        (private_pem(ec.generate_private_key(ec.SECP256K1())), "ci.pem: no private key: unsupported curve"),
    ],
)
def test_what_is_no_key_to_sign_with_is_refused_by_name(pem: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        read_signing_key(pem, "ci.pem")
    assert found.value.message.startswith(said)
    assert found.value.hint


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (b"", "ci.pub: no public key"),
        (private_pem(FIXED), "ci.pub: is a private key"),
        (public_pem(rsa.generate_private_key(65537, 2048)), "ci.pub: is a key for rsa"),
    ],
)
def test_what_is_no_key_to_check_with_is_refused_by_name(pem: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        read_public_key(pem, "ci.pub")
    assert found.value.message.startswith(said)
    assert found.value.hint


@pytest.mark.parametrize("module", ["cryptography", "securesystemslib"])
def test_without_the_extra_the_error_says_how_to_install_it(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EnvironmentLacking, match=f"need {module}") as found:
        read_public_key(public_pem(FIXED), "ci.pub")
    assert "bskernel[sign]" in str(found.value.hint)
