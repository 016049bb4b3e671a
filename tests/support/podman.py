"""A Podman service of a test's own: as this user or, where root runs the tests, rootless as a user that is nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from support.eventually import eventually

_UID = 64_123
# Podman raises limits by itself, which not every machine allows.
_CONFIGURATION = '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
_ACCOUNTS = {
    "passwd": "bskernel-test:x:{uid}:{uid}::{home}:/bin/sh\n",
    "group": "bskernel-test:x:{uid}:\n",
    "subuid": "bskernel-test:200000:65536\n",
    "subgid": "bskernel-test:200000:65536\n",
}
# The user exists in this process's view of /etc alone.
_WITH_ACCOUNTS = 'for file in passwd group subuid subgid; do mount --bind "$0/$file" "/etc/$file"; done; exec "$@"'


class Podman(msgspec.Struct, frozen=True, kw_only=True):
    """A running service; `own` is a folder that its user may use."""

    own: Path
    socket: str
    user: int

    def command(self, command: Sequence[str]) -> list[str]:
        """As the service's user. Root's folders with the tests' Python stay readable for it, and no more."""
        if self.user == os.getuid():
            return list(command)
        capability = "+dac_read_search"
        return [*_as_user(self.user), "--inh-caps", capability, "--ambient-caps", capability, *command]


def _as_user(uid: int) -> list[str]:
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]


def reason_against(*, rootless: bool) -> str | None:
    """Why there can be no such service here, or None."""
    lacking = [] if shutil.which("podman") else ["podman"]
    if rootless and os.getuid() == 0:
        lacking += [name for name in ("newuidmap", "slirp4netns", "setpriv", "unshare") if not shutil.which(name)]
        lacking += [f"/etc/{name}" for name in _ACCOUNTS if not Path("/etc", name).exists()]
    if lacking:
        return f"not here: {', '.join(lacking)}"
    if rootless and os.getuid() == 0:
        done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
        return f"no mounts can be made: {done.stderr}" if done.returncode else None
    return "only root can try Podman as root" if not rootless and os.getuid() != 0 else None


@contextlib.contextmanager
def served(*, rootless: bool) -> Iterator[Podman]:
    """A service with images and containers of its own, which are gone afterwards."""
    own = Path(tempfile.mkdtemp())  # a short path: Podman takes no other
    user = _UID if rootless and os.getuid() == 0 else os.getuid()
    (own / "containers.conf").write_text(_CONFIGURATION)
    for name in ("home", "run", "project"):
        (own / name).mkdir(mode=0o700)
        os.chown(own / name, user, user if rootless else os.getgid())
    own.chmod(0o755)
    before: list[str] = []
    if user != os.getuid():
        for name, line in _ACCOUNTS.items():
            text = Path("/etc", name).read_text()
            (own / name).write_text(text + line.format(uid=user, home=own / "home"))
        before = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _WITH_ACCOUNTS, str(own)]
        before += _as_user(user)
    environment = os.environ | {
        "CONTAINERS_CONF": str(own / "containers.conf"),
        "XDG_RUNTIME_DIR": str(own / "run"),
        "HOME": str(own / "home"),
    }
    podman = [*before, *_podman(own, before, environment)]
    socket = f"unix://{own}/run/podman.sock"
    with subprocess.Popen([*podman, "system", "service", "--time", "0", socket], env=environment, cwd=own) as service:
        try:
            eventually(lambda: (own / "run" / "podman.sock").exists() or service.poll() is not None)
            yield Podman(own=own, socket=socket, user=user)
        finally:
            service.terminate()
    # In the user's own namespace: files of containers belong to other users outside of it.
    subprocess.run([*podman, "system", "reset", "--force"], env=environment, cwd=own, check=True, capture_output=True)
    shutil.rmtree(own)
    Path(f"/dev/shm/libpod_rootless_lock_{_UID}").unlink(missing_ok=True)


def _podman(own: Path, before: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Podman with its places; with overlay where that works, since vfs copies each layer."""
    for driver in ("overlay", "vfs"):
        places = ["--root", str(own / "home" / "images"), "--runroot", str(own / "run" / "containers")]
        podman = ["podman", *places, "--storage-driver", driver, "--cgroup-manager", "cgroupfs"]
        done = subprocess.run([*before, *podman, "info"], env=environment, cwd=own, capture_output=True, check=False)
        if done.returncode == 0:
            return podman
        shutil.rmtree(own / "home" / "images", ignore_errors=True)
    raise RuntimeError(f"podman info: {done.stderr.decode(errors='replace')}")
