"""An instance of Sigstore of the tests' own: a CA, a log of certificates, a log of signatures, and who trusts them.

Its keys are drawn for each instance. It signs at a time of its own, with no service and no network.
"""

import base64
import datetime as dt
import hashlib
import json
import struct
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ISSUER = "https://accounts.example.com"
_SCT_LIST, _OIDC_ISSUER = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ORIGIN = "rekor.example.com - 1"
_SHA256, _ECDSA = hashes.SHA256(), ec.ECDSA(hashes.SHA256())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _log_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_der(key)).digest()


class SigstoreInstance:
    """The instance; `trusted_root` is what its users have."""

    def __init__(self) -> None:
        """Draw its keys."""
        self.ca, self.ct, self.rekor = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self.now = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
        self.root = self._make_root()

    def _make_root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test root")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.ca.public_key())
            .serial_number(1)
            .not_valid_before(self.now - dt.timedelta(days=1))
            .not_valid_after(self.now + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.ca.public_key()), critical=False)
            .sign(self.ca, _SHA256)
        )

    def trusted_root(self) -> str:
        """What a user trusts, as Sigstore's trusted_root.json."""
        start = (self.now - dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            public = {"rawBytes": _base64(_der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": public | {"validFor": {"start": start}},
                "logId": {"keyId": _base64(_log_id(key))},
            }

        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [log(self.rekor, "https://rekor.example.com")],
                "ctlogs": [log(self.ct, "https://ct.example.com")],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "test", "commonName": "test root"},
                        "uri": "https://fulcio.example.com",
                        "certChain": {"certificates": [{"rawBytes": _base64(self.root.public_bytes(Encoding.DER))}]},
                        "validFor": {"start": start},
                    }
                ],
                "timestampAuthorities": [],
            }
        )

    def _issue(self, key: ec.EllipticCurvePrivateKey, identity: str) -> x509.Certificate:
        """A certificate for an identity, logged by the instance's log of certificates."""
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key.public_key())
            .serial_number(2)
            .not_valid_before(self.now - dt.timedelta(minutes=1))
            .not_valid_after(self.now + dt.timedelta(minutes=9))
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(identity)]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca.public_key()), critical=False)
            .add_extension(x509.UnrecognizedExtension(_OIDC_ISSUER, ISSUER.encode()), critical=False)
        )
        precertificate = builder.sign(self.ca, _SHA256).tbs_certificate_bytes
        entry = hashlib.sha256(_der(self.ca)).digest() + struct.pack("!I", len(precertificate))[1:] + precertificate
        stamp = int(self.now.timestamp() * 1000)
        signed = struct.pack("!BBQH", 0, 0, stamp, 1) + entry + struct.pack("!H", 0)
        signature = self.ct.sign(signed, _ECDSA)
        sct = struct.pack("!B32sQHBBH", 0, _log_id(self.ct), stamp, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(sct) + 2, len(sct)) + sct
        return builder.add_extension(
            x509.UnrecognizedExtension(_SCT_LIST, b"\x04" + bytes([len(listed)]) + listed), critical=False
        ).sign(self.ca, _SHA256)

    def sign(self, payload: bytes, identity: str) -> str:
        """A bundle: the payload in an envelope that the identity has signed, logged."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(key, identity)
        signed = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload
        signature = key.sign(signed, _ECDSA)
        envelope = {
            "payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": _base64(signature)}]
        }  # fmt: skip
        body = self._log_body(envelope, payload, certificate)
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": {
                    "certificate": {"rawBytes": _base64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [self._log(body)],
                },
                "dsseEnvelope": envelope,
            }
        )

    def _log_body(self, envelope: dict[str, Any], payload: bytes, certificate: x509.Certificate) -> bytes:
        canonical = json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()
        verifier = _base64(certificate.public_bytes(Encoding.PEM))
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(canonical).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": envelope["signatures"][0]["sig"], "verifier": verifier}],
        }
        document = {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    def _log(self, body: bytes) -> dict[str, Any]:
        """The only entry of the log of signatures."""
        leaf = hashlib.sha256(b"\x00" + body).digest()
        note = f"{_ORIGIN}\n1\n{_base64(leaf)}\n"
        noted = _log_id(self.rekor)[:4] + self.rekor.sign(note.encode(), _ECDSA)
        checkpoint = f"{note}\n— rekor.example.com {_base64(noted)}\n"
        stamp, log_id = int(self.now.timestamp()), _log_id(self.rekor)
        promised = {"body": _base64(body), "integratedTime": stamp, "logID": log_id.hex(), "logIndex": 0}
        canonical = json.dumps(promised, separators=(",", ":"), sort_keys=True).encode()
        return {
            "logIndex": "0",
            "logId": {"keyId": _base64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(stamp),
            "inclusionPromise": {"signedEntryTimestamp": _base64(self.rekor.sign(canonical, _ECDSA))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _base64(leaf),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": _base64(body),
        }
