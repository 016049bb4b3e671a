"""The version of this bskernel, and the commit that it was made from."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import msgspec


def describe_version() -> str:
    """Return the version, and the commit of the checkout, the git source or the wheels, if known."""
    installed = distribution("bskernel")
    commit = _commit_of_checkout(Path(__file__).resolve().parents[3])
    commit = commit or _commit_of_source(installed.read_text("direct_url.json")) or _commit_of_wheels()
    return f"bskernel {installed.version}" + (f" (commit {commit[:12]})" if commit else "")


def _commit_of_checkout(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return head.stdout.strip() or None


def _commit_of_source(direct_url: str | None) -> str | None:
    """Read the commit from direct_url.json, which installers write for a git source (PEP 610)."""
    try:
        found: dict[str, Any] = msgspec.json.decode(direct_url or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    source = found.get("vcs_info")
    return str(source["commit_id"]) if isinstance(source, dict) and "commit_id" in source else None


def _commit_of_wheels() -> str | None:
    """Read the commit that the wheel of recipes was built from."""
    try:
        file = distribution("bskernel-recipes").locate_file("bskernel_recipes/COMMIT")
        return Path(str(file)).read_text(encoding="utf-8").strip() or None
    except (PackageNotFoundError, OSError, UnicodeDecodeError):
        return None
