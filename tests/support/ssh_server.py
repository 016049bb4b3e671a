"""A real SSH server in a process of its own, which serves one folder by SFTP: asyncssh's."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncssh

USER = "steps"


class SshServer:
    """Takes one user's key; its own key is in the file of known hosts that it writes."""

    def __init__(self, folder: Path, root: Path) -> None:
        """`root` is served as /; keys lie in `folder`."""
        self._folder = folder
        self._root = root
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        for name in ("host", "user"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(self._folder / name)
            key.write_public_key(self._folder / f"{name}.pub")
        command = [sys.executable, __file__, str(self._folder), str(self._root)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        known = (self._folder / "host.pub").read_text()
        (self._folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {known}")

    @property
    def url(self) -> str:
        return f"ssh://{USER}@127.0.0.1:{self.port}/"

    @property
    def options(self) -> dict[str, str]:
        return {"client_keys": str(self._folder / "user"), "known_hosts": str(self._folder / "known_hosts")}

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


async def _serve(folder: Path, root: Path) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[str(folder / "host")],
        authorized_client_keys=str(folder / "user.pub"),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)),
    )
    print(server.get_port(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
