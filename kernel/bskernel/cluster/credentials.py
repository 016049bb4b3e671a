"""TLS credentials for a scheduler and workers of one run: other users of this machine must not send them work."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import Security

_NAME = "bskernel"
_VALID = dt.timedelta(days=365)


def temporary_security() -> Security:
    """One key and its certificate for all roles, in memory. Dask's own makes an RSA key, which takes 70 ms."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)]), dt.datetime.now(tz=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
    shown = certificate.public_bytes(serialization.Encoding.PEM).decode()
    hidden = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    of_roles = {
        f"tls_{role}_{part}": text
        for role in ("client", "scheduler", "worker")
        for part, text in (("key", hidden), ("cert", shown))
    }
    return Security(require_encryption=True, tls_ca_file=shown, **of_roles)


def worker_arguments(security: Security, folder: Path) -> list[str]:
    """The credentials as arguments of a worker, from files in a folder that nobody else can read."""
    arguments = []
    for name, text in security.get_tls_config_for_role("worker").items():
        if text is not None and name != "ciphers":
            path = folder / f"{name}.pem"
            path.touch(0o600)
            path.write_text(text, encoding="ascii")
            arguments += [f"--tls-{name.replace('_', '-')}", str(path)]
    return arguments
