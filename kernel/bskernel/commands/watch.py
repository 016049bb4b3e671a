"""Serves the page of a build on this machine while the build runs, and ends with it."""

from __future__ import annotations

import base64
import hashlib
import html
import http.server
import re
import secrets
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

import msgspec

from bskernel.commands.report import read_record, read_unfinished
from bskernel.core.errors import ConfigError
from bskernel.core.step_report import Status, StepReport
from bskernel.host.thread import Thread
from bskernel.remains.plain_files import read_plain
from bskernel.report.board_frame import clock_text
from bskernel.report.page.build_view import BuildView
from bskernel.report.page.facts import BuildRecord, make_page
from bskernel.report.page_renderer import render_page
from bskernel.report.page_template import require_jinja2
from bskernel.result.build_directory import RESULT
from bskernel.result.running_build import RunLog, RunningBuild, RunState
from bskernel.sweeps.results.sweep_file import POINTS, SWEEP

_PAGE = Path(__file__).parent.parent / "report" / "page_files" / "watch.html"
_LOOK_S = 0.5  # between two looks at the build
_FETCH_S = 10.0  # how long browsers have to fetch the last page
_MOST_STREAMS = 16
_MOST_FILE = 64 << 20  # bytes
_WORDS: dict[RunState, str] = {
    "running": "running",
    "stopped": "stopped by a signal; `kill -CONT` continues it",
    "ended": "ended",
    "died": "died: its process is gone and has left no result; run it again, finished steps are cached",
    "refused": "ended without a result; the page shows an earlier one",
}
Outcome = Literal["ok", "failed", "stopped", "interrupted", "died", "refused"]


class _Status(msgspec.Struct, frozen=True):
    status: str = "failed"


class Watch:
    """A build that is followed, and the pages about it."""

    def __init__(self, build: RunningBuild) -> None:
        self.build = build
        self._lock = threading.Lock()
        self._log = RunLog()
        self.state: RunState = "running"
        self.over = threading.Event()
        self.changed = threading.Condition()

    def look(self) -> None:
        """See how far the build is, and wake those who wait for news."""
        # The state first: what a log says after the end is all that it will say.
        state = self.build.state()
        log = self.build.log()
        with self._lock:
            self._log, self.state = log, state
        if state not in {"running", "stopped"}:
            self.over.set()
        with self.changed:
            self.changed.notify_all()

    def outcome(self) -> Outcome:
        """How the build ended."""
        if self.state in {"died", "refused"}:
            return cast(Outcome, self.state)
        try:
            found = msgspec.json.decode(read_plain(self.build.result_path, _MOST_FILE) or b"{}", type=_Status).status
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = "failed"
        return cast(Outcome, found) if found in {"ok", "stopped", "interrupted"} else "failed"

    def news(self) -> dict[str, Any]:
        """What the head of the page shows, and a text that changes with the page below it."""
        with self._lock:
            log, state = self._log, self.state
        now = time.time()
        words, kind = _WORDS[state], state
        if state == "ended" and (how := self.outcome()) != "ok":
            words, kind = f"ended: {how}", cast(RunState, "failed")
        running = [step for step in log.steps if step.status == "running"] if state in {"running", "stopped"} else []
        counts = f"{log.done}/{log.planned} steps"
        if log.points or log.planned_points:
            counts = f"{len(log.points)}/{log.planned_points} points, {counts}"
        return {
            "name": self.build.name(),
            "words": words,
            "kind": kind,
            "planned": log.planned,
            "done": log.done,
            "counts": counts,
            "running": [
                step.name + (f" ({clock_text(now - step.began)})" if step.began is not None else "")
                for step in running
            ],
            "page": f"{state} {log.done} {len(log.points)}",
        }

    def page(self) -> str:
        """The report as far as the build has come; of a sweep its points, each with a link to its report."""
        if self.build.is_sweep:
            return self._points()
        return render_page(make_page(self._record()), prefix="files/", build=str(self.build.folder))

    def point(self, name: str) -> str | None:
        """The report of a point; None for one that has none."""
        with self._lock:
            names = {point.name for point in self._log.points}
        folder = self.build.folder / POINTS / name
        if not self.build.is_sweep or name not in names or not (folder / RESULT).is_file():
            return None
        return render_page(make_page(read_record(folder)), prefix="../files/none/", build=str(folder))

    def file(self, name: str) -> bytes | None:
        """A file that the page links to; None for any other."""
        if self.build.is_sweep:
            return None
        record, folder = self._record(), self.build.folder
        linked = {item.path for item in record.downloads} | {detail.log for detail in record.details.values()}
        path = folder / name
        if name not in linked or not path.resolve().is_relative_to(folder.resolve()):
            return None
        return read_plain(path, _MOST_FILE)

    def _record(self) -> BuildRecord:
        """What the directory holds by now; of a build that ended without a result, an earlier one's."""
        folder = self.build.folder
        with self._lock:
            log, state = self._log, self.state
        finished = state in {"ended", "refused"} and (folder / RESULT).exists()
        return read_record(folder) if finished else read_unfinished(folder, self._view(log, state))

    def _view(self, log: RunLog, state: RunState) -> BuildView:
        """The build's result as far as its log tells it."""
        steps = tuple(
            StepReport(
                name=step.name,
                executor=step.executor,
                entry="",
                # The page shows this word; a result has no such step.
                status=cast(Status, step.status if step.status != "running" or state == "running" else state),
                seconds=step.seconds,
                key=step.key,
            )
            for step in log.steps
        )
        seconds = time.time() - log.began if log.began is not None else 0.0
        if state == "died":
            seconds = max((step.seconds for step in log.steps), default=0.0)
        return BuildView(name=self.build.name(), status=state, runtime="", seconds=seconds, steps=steps)

    def _points(self) -> str:
        with self._lock:
            points = self._log.points
        rows = []
        for point in points:
            name = html.escape(point.name)
            has_page = (self.build.folder / POINTS / point.name / RESULT).is_file()
            shown = f'<a href="point/{name}" target="_blank" rel="noopener">{name}</a>' if has_page else name
            settings = ", ".join(f"{key} = {value}" for key, value in point.settings.items())
            cells = [html.escape(text) for text in (point.status, settings, point.reason)]
            rows.append(f'<tr><th scope="row">{shown}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        return _POINTS.format(name=html.escape(self.build.name()), rows="\n".join(rows))


_POINTS = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>{name}</title>
<style>body {{ font: 1rem/1.4 system-ui, sans-serif; margin: 1rem; }} table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; font-weight: normal; }}</style>
</head><body><h1>Points that have ended</h1>
<table><thead><tr><th scope="col">point</th><th scope="col">status</th><th scope="col">settings</th>
<th scope="col">reason</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


class WatchServer(http.server.ThreadingHTTPServer):
    """Serves a Watch on 127.0.0.1, to those who know the token."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, watch: Watch) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.watch = watch
        self.token = secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in ("127.0.0.1", "localhost")}
        self.shell = _PAGE.read_bytes()
        script = re.search(rb"<script>(.*?)</script>", self.shell, re.DOTALL)
        self.script_digest = base64.b64encode(hashlib.sha256(script[1] if script else b"").digest()).decode()
        self.streams = 0  # browsers that follow
        self.waiting = 0  # of these, those that were sent the end and have not fetched the last page
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address of the page, with the token."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WatchServer
    server_version = "bskernel"
    sys_version = ""
    timeout = 30  # of a browser that sends no request

    def do_GET(self) -> None:
        """Answer a request. All that is not meant for this server is refused before anything is read."""
        if self.headers.get("Host") not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        parts = unquote(urlsplit(self.path).path).split("/", 2)
        token = parts[1] if len(parts) > 1 else ""
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        name = parts[2] if len(parts) > 2 else ""
        watch = self.server.watch
        try:
            if len(parts) < 3:  # the page asks for what is below its address
                self._redirect(f"/{token}/")
            elif name == "":
                policy = (
                    f"default-src 'none'; script-src 'sha256-{self.server.script_digest}'; connect-src 'self'; "
                    "frame-src 'self'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
                )
                self._send(self.server.shell, policy=policy)
            elif name == "events":
                self._stream()
            elif name == "page":
                self._send(watch.page().encode())
                self._count_last_page()
            elif name.startswith("point/") and (page := watch.point(name.removeprefix("point/"))) is not None:
                self._send(page.encode())
            elif name.startswith("files/") and (data := watch.file(name.removeprefix("files/"))) is not None:
                self._send(data, kind="text/plain; charset=utf-8", more={"Content-Disposition": "attachment"})
            else:
                self._refuse(HTTPStatus.NOT_FOUND)
        except ConfigError:  # the directory is being written, or damaged
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def __getattr__(self, name: str) -> Any:
        """Every method but GET is refused."""
        if name.startswith("do_"):
            return lambda: self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        raise AttributeError(name)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base's name
        """Requests hold the token: they are not logged."""

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        body = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        self._end_headers("text/plain", len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _redirect(self, place: str) -> None:
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", place)
        self._end_headers("text/plain", 0)

    def _send(
        self,
        body: bytes,
        *,
        kind: str = "text/html; charset=utf-8",
        policy: str | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self.send_response(HTTPStatus.OK)
        if policy is not None:
            self.send_header("Content-Security-Policy", policy)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self._end_headers(kind, len(body))
        self.wfile.write(body)

    def _end_headers(self, kind: str, length: int | None) -> None:
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()

    def _stream(self) -> None:
        """Server-sent events: the news when there are some, and at the end one that says so."""
        watch = self.server.watch
        with self.server.lock:
            if self.server.streams >= _MOST_STREAMS:
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
                return
            self.server.streams += 1
        try:
            self.close_connection = True
            self.send_response(HTTPStatus.OK)
            self._end_headers("text/event-stream", None)
            before = b""
            while not watch.over.is_set():
                news = msgspec.json.encode(watch.news())
                # Without news a comment: how a browser that has gone away is noticed.
                self.wfile.write(b"event: now\ndata: " + news + b"\n\n" if news != before else b": alive\n\n")
                self.wfile.flush()
                before = news
                with watch.changed:
                    watch.changed.wait(2 * _LOOK_S)
            with self.server.lock:
                self.server.waiting += 1
            self.wfile.write(b"event: over\ndata: " + msgspec.json.encode(watch.news()) + b"\n\n")
            self.wfile.flush()
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.streams -= 1

    def _count_last_page(self) -> None:
        if self.server.watch.over.is_set():
            with self.server.lock:
                self.server.waiting = max(0, self.server.waiting - 1)


def find_running(folder: Path) -> RunningBuild:
    """The build or sweep that runs in a folder. Raises ConfigError with what to do when none does.

    Raises EnvironmentLacking without jinja2.
    """
    require_jinja2()
    running = RunningBuild.find(folder)
    if running is not None:
        return running
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder", hint="give the directory of a build that runs")
    ended = (folder / RESULT).exists() or (folder / SWEEP).exists()
    hint = f"its page: bskernel report {folder} --open" if ended else "give the directory of a build that runs"
    raise ConfigError(f"{folder}: no build runs there on this machine", hint=hint)


def serve(server: WatchServer) -> Outcome:
    """Serve until the build has ended, and browsers have its last page; returns how it ended."""
    watch = server.watch
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="watch", daemon=True)
    watch.look()
    thread.start()
    try:
        while not watch.over.wait(_LOOK_S):
            watch.look()
        deadline = time.monotonic() + _FETCH_S
        while (server.streams or server.waiting) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        server.shutdown()
        server.server_close()
    return watch.outcome()
