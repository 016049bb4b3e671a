"""A proxy in front of an S3 server: it notes every request, and how many of a kind were open at once."""

import http.client
import http.server
import threading
import time

from support.s3_server import CREDENTIALS, S3Server


class S3Proxy:
    """Passes requests on, answers GET of results and blobs after a while, and says what was asked."""

    def __init__(self, server: S3Server, delay_s: float = 0.0) -> None:
        self.requests: list[tuple[str, str]] = []  # method and path
        self.most = 0  # delayed requests that were open at once
        lock, proxy = threading.Lock(), self
        self._open = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                size = self.headers.get("Content-Length")
                body = self.rfile.read(int(size)) if size else self._chunks()
                slow = self.command == "GET" and ("/actions/" in self.path or "/blobs/" in self.path)
                with lock:
                    proxy.requests.append((self.command, self.path))
                    proxy._open += slow
                    proxy.most = max(proxy.most, proxy._open)
                if slow:
                    time.sleep(delay_s)
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                skipped = {"transfer-encoding", "content-length", "connection"}
                headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
                with lock:
                    proxy._open -= slow
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in skipped:
                        self.send_header(name, value)
                length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(data)
                connection.close()

            def _chunks(self) -> bytes | None:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return None
                data = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return data

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}"}

    def asked(self, method: str, folder: str) -> list[str]:
        """The names in that folder of the store for which there was such a request, in order."""
        return [path.rpartition("/")[2] for done, path in self.requests if done == method and f"/{folder}/" in path]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
