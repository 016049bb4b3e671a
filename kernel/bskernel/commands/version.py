"""The version of this bskernel, and the commit that it was made from, as `--version` shows them."""

from __future__ import annotations

from bskernel.workspace.release import find_release


def describe_version() -> str:
    """Return the version, and the commit of the checkout, the git source or the wheels, if known."""
    release = find_release()
    return f"bskernel {release.version}" + (f" (commit {release.commit[:12]})" if release.commit else "")
