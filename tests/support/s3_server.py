"""A real S3 server in a process of its own, by HTTP: moto's."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "hushhush", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "steps"


class S3Server:
    """Started and killed at will, always at the same port; what it held dies with it."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    def start(self) -> None:
        """Start it, with one empty bucket."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | CREDENTIALS
        )
        while not self._answers():
            assert self._process.poll() is None, "the S3 server ended"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return self.request("PUT", f"/{BUCKET}")[0] == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Talk to it past any library."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            scope = "testing/20260101/us-east-1/s3/aws4_request"
            headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def objects(self) -> dict[str, bytes]:
        """All that it holds, by its key; at most a thousand."""
        listing = self.request("GET", f"/{BUCKET}?list-type=2")[1].decode()
        keys = re.findall("<Key>([^<]*)</Key>", listing)
        return {key: self.request("GET", f"/{BUCKET}/{key}")[1] for key in keys}

    def restore(self, objects: dict[str, bytes]) -> None:
        """Hold these again, as a server does whose disk outlives it."""
        for key, data in objects.items():
            assert self.request("PUT", f"/{BUCKET}/{key}", data)[0] == 200

    def stop(self) -> None:
        """Have it hang: connections are taken, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
