"""`bskernel watch`: real builds, real HTTP; who may look, what is seen, and that it ends with the build."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.builds import write
from support.eventually import eventually
from support.kill_points import processes_with
from support.paths import BSKERNEL

CONFIG = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
name = "wait"
entry = "testing:meet"
parameters = { word = "here", until = ["go"] }
"""
HEAD, _, STEPS = CONFIG.partition("[[step]]")
SWEEP = f"""{HEAD}flow = "flow.toml"
[sweep.grid]
"step.wait.parameters.until" = [[], ["go"]]
"""


class Watched:
    """A build that waits for a word, and the page about it."""

    def __init__(self, folder: Path, surroundings: dict[str, str], *, config: str = CONFIG) -> None:
        self.folder, self._surroundings = folder, surroundings
        sweeps = "[sweep" in config
        path = write(folder, config)
        self.output = folder / "build" / ("b-sweep" if sweeps else "b")
        self.build = self.start("sweep" if sweeps else "run", str(path))
        eventually(self.session)
        self.watch = self.start("watch", str(self.output))
        assert self.watch.stdout is not None
        self.url = urlsplit(self.watch.stdout.readline().strip())

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [BSKERNEL, *arguments], cwd=self.folder, env=self._surroundings, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def session(self) -> Path | None:
        """The folder in which the waiting step looks for its word."""
        # A walk, unlike a glob, goes on where a folder is removed meanwhile.
        walk = os.walk(Path(self._surroundings["BSKERNEL_CACHE"]) / "sessions")
        return next((Path(folder) for folder, _, names in walk if ".here" in names), None)

    def go(self) -> None:
        """Let the step end."""
        folder = self.session()
        assert folder is not None
        (folder / ".go").touch()

    def ask(self, name: str = "", *, path: str | None = None, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.url.port or 0, timeout=60)
        connection.request(method, path if path is not None else f"{self.url.path}{name}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def end(self) -> None:
        for process in (self.build, self.watch):
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def watched(tmp_path: Path, surroundings: dict[str, str]) -> Iterator[Watched]:
    found = Watched(tmp_path, surroundings)
    yield found
    found.end()


def test_the_page_shows_the_build_as_far_as_it_has_come_and_ends_with_it(watched: Watched) -> None:
    status, shell = watched.ask()
    assert status == 200
    assert "EventSource" in shell
    status, page = watched.ask("page")
    assert status == 200
    assert re.search(r'<tr class="ran"><th scope="row">double', page)
    assert re.search(r'<tr class="running"><th scope="row">wait', page)
    watched.go()
    assert watched.build.wait() == 0
    said, errors = watched.watch.communicate()
    assert watched.watch.returncode == 0, said + errors
    assert f"the build has ended: ok; its page: bskernel report {watched.output} --open" in errors
    with pytest.raises(ConnectionError):
        watched.ask()
    assert not (watched.output / "report.html").exists()  # it writes nothing into the directory


def test_events_tell_of_each_step_and_the_last_page_is_still_served_to_who_follows(watched: Watched) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", watched.url.port or 0, timeout=60)
    connection.request("GET", f"{watched.url.path}events")
    stream = connection.getresponse()
    assert stream.headers["Content-Type"] == "text/event-stream"
    events: list[tuple[str, Any]] = []

    def read() -> None:
        kind = ""
        while line := stream.readline().decode():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ").strip()
            elif line.startswith("data: "):
                events.append((kind, json.loads(line.removeprefix("data: "))))

    reader = threading.Thread(target=read)
    reader.start()
    eventually(lambda: events)
    assert events[0][0] == "now"
    assert events[0][1] | {"words": "running", "counts": "1/2 steps", "name": "b"} == events[0][1]
    assert events[0][1]["running"][0].startswith("wait (")
    watched.go()
    reader.join(90)
    assert events[-1][0] == "over"
    assert events[-1][1] | {"words": "ended", "done": 2} == events[-1][1]
    status, page = watched.ask("page")
    assert status == 200
    assert '<span class="word">built</span>' in page
    assert watched.watch.wait() == 0


def test_nobody_without_the_token_or_by_another_host_name_sees_anything(watched: Watched) -> None:
    port = watched.url.port
    token = watched.url.path.strip("/")
    assert len(token) >= 32
    for path in ("/", "/page", f"/{token[:-1]}/", f"/{token}x/page", "/../", "/%00/", "/%e4/"):
        status, text = watched.ask(path=path)
        assert (status, text) == (404, "404 Not Found\n"), path
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{(port or 0) + 1}", ""):
        assert watched.ask(Host=host)[0] == 403, host
    assert watched.ask(Host=f"localhost:{port}")[0] == 200
    # The page asks for what is below its address.
    assert watched.ask(path=f"/{token}")[0] == 301


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_only_get_is_answered(watched: Watched, method: str) -> None:
    assert watched.ask(method=method)[0] == 405


def test_only_loopback_is_bound_and_only_linked_files_are_served(watched: Watched) -> None:
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    bound = {line.split()[1] for line in listening.splitlines() if f":{watched.url.port:04X}" in line.split()[1]}
    assert bound == {f"0100007F:{watched.url.port:04X}"}
    assert watched.ask("files/log.jsonl")[0] == 200
    assert json.loads(watched.ask("files/config.json")[1])["build"]["name"] == "b"
    (watched.output / "secret").write_text("s")
    for name in (
        "secret",
        ".bskernel-output",
        "../../number.txt",
        "%2e%2e/%2e%2e/number.txt",
        "/etc/passwd",
        "steps",
    ):
        assert watched.ask(f"files/{name}")[0] == 404, name
    (watched.output / "log.jsonl").rename(watched.output / "moved")
    (watched.output / "log.jsonl").symlink_to("/etc/passwd")
    assert watched.ask("files/log.jsonl")[0] == 404


def test_a_build_that_is_killed_is_said_to_have_died_and_no_process_stays(
    watched: Watched, surroundings: dict[str, str]
) -> None:
    watched.build.send_signal(signal.SIGKILL)
    _, errors = watched.watch.communicate()
    assert watched.watch.returncode == 3
    assert "the build died: its process is gone and has left no result" in errors
    eventually(lambda: processes_with(Path(surroundings["BSKERNEL_CACHE"])) == [])


def test_a_build_that_is_interrupted_ends_the_page_too(watched: Watched) -> None:
    watched.build.send_signal(signal.SIGINT)
    _, errors = watched.watch.communicate()
    assert watched.watch.returncode == 3
    assert "the build has ended: interrupted" in errors


def test_ctrl_c_ends_the_page_and_not_the_build(watched: Watched) -> None:
    watched.watch.send_signal(signal.SIGINT)
    _, errors = watched.watch.communicate()
    assert watched.watch.returncode == 0, errors
    assert "the build goes on" in errors
    watched.go()
    assert watched.build.wait() == 0


def test_a_build_that_is_stopped_is_said_to_be(watched: Watched) -> None:
    os.kill(watched.build.pid, signal.SIGSTOP)
    try:
        eventually(lambda: "stopped by a signal" in first_event(watched))
    finally:
        os.kill(watched.build.pid, signal.SIGCONT)
    eventually(lambda: '"words":"running"' in first_event(watched))


def first_event(watched: Watched) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", watched.url.port or 0, timeout=60)
    connection.request("GET", f"{watched.url.path}events")
    answer = connection.getresponse()
    answer.readline()
    text = answer.readline().decode()
    answer.close()
    connection.close()
    return text


@pytest.mark.browser
def test_a_browser_shows_the_page_and_follows_it_without_errors(watched: Watched, tmp_path: Path) -> None:
    for patience_ms in (4_000, 16_000, 64_000):  # on a loaded machine the first news may take long
        call = [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", f"--timeout={patience_ms}", "--dump-dom", watched.url.geturl(),
        ]  # fmt: skip
        seen = subprocess.run(call, capture_output=True, text=True, check=True, timeout=300)
        if "1/2 steps" in seen.stdout:
            break
    assert '<b id="state" class="running">running</b>' in seen.stdout
    assert '<span id="counts">1/2 steps</span>' in seen.stdout
    assert "<li>wait (" in seen.stdout
    assert "CONSOLE" not in seen.stderr


def test_a_folder_where_nothing_runs_is_refused_with_what_to_do(cli: Any, tmp_path: Path) -> None:
    nothing = cli("watch", "build/b")
    assert nothing.returncode == 2
    assert "build/b: no such folder" in nothing.stderr
    here = cli("watch")
    assert here.returncode == 2
    assert "no build runs in" in here.stderr
    assert cli("run", write(tmp_path, CONFIG.partition("[[step]]\nname")[0])).returncode == 0
    over = cli("watch", "build/b")
    assert over.returncode == 2
    assert "bskernel report build/b --open" in over.stderr


def test_a_sweep_s_points_are_linked_to_their_pages(tmp_path: Path, surroundings: dict[str, str]) -> None:
    (tmp_path / "flow.toml").write_text(f"[[step]]{STEPS}")
    watched = Watched(tmp_path, surroundings, config=SWEEP)
    try:
        eventually(lambda: "1/2 points, " in first_event(watched))
        status, points = watched.ask("page")
        (link,) = re.findall(r'href="(point/[^"]+)"', points)
        assert (status, "ok" in points) == (200, True)
        status, page = watched.ask(link)
        assert status == 200
        assert '<span class="word">built</span>' in page
        assert watched.ask("point/../../x")[0] == 404
        watched.go()
        assert watched.build.wait() == 0
        _, errors = watched.watch.communicate()
        assert watched.watch.returncode == 0, errors
        assert f"the sweep has ended: ok; its points: bskernel results {watched.output}" in errors
    finally:
        watched.end()
