"""TLS credentials of a run's scheduler for its workers: other users of this machine must not send them work."""

from __future__ import annotations

from pathlib import Path

from distributed import Security


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
