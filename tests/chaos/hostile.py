"""Hostile steps: whatever a step does, it ends as itself, and nobody else notices."""

import contextlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from chaos import invariants
from chaos.executor.chaos_steps import entries  # noqa: F401 - its modules fill the list
from chaos.executor.chaos_steps.behaviour import BEHAVIOURS, Behaviour
from chaos.kind import Kind, Trial, Violation
from chaos.site import PROJECT

SECRET = "the-secret-of-chaos-4711"  # noqa: S105 - nobody's
HOSTILE = """
[build]
name = "hostile"
model = "number.txt"
[[step]]
name = "sibling"
entry = "chaos:grow"
inputs = {{ model = "number.txt" }}
timeout_s = 30
[[step]]
name = "hostile"
entry = "chaos:misbehave"
inputs = {{ model = "number.txt" }}
parameters = {{ how = "{how}", outside = "{outside}", port = {port} }}
{limits}
"""


class Listener:
    """A TCP port of this machine; whether anybody connected."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._socket.accept()[0].close()
                self.heard = True

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def make_outside(folder: Path) -> Path:
    """What is none of a step's business."""
    (folder / "folder").mkdir(parents=True)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.txt").chmod(0o600)
    (folder / "writable.txt").write_text("written by the user")
    (folder / "folder" / "inner.txt").write_text(SECRET)
    return folder


@contextlib.contextmanager
def listener() -> Iterator[Listener]:
    """A listener that is closed at the end."""
    found = Listener()
    try:
        yield found
    finally:
        found.close()


def _holds_secret(*places: Path) -> Path | None:
    """The first file below these places that holds the secret."""
    needle = SECRET.encode()
    for place in places:
        for folder, _, names in os.walk(place):
            for name in names:
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink() and path.stat().st_size < 50_000_000:
                    with contextlib.suppress(OSError):
                        if needle in path.read_bytes():
                            return path
    return None


def _ended_as(behaviour: Behaviour, project: Path, code: int | None) -> None:
    """Raise Violation unless the hostile step ended as it may."""
    if code != 3 and code != 0:
        raise Violation(f"exit {code} for a hostile step")
    with contextlib.suppress(OSError, ValueError, KeyError):
        steps = json.loads((project / "build" / "hostile" / "result.json").read_bytes())["steps"]
        status = next(step["status"] for step in steps if step["name"] == "hostile")
        if behaviour.ends == "ok" and status != "ran":
            raise Violation(f"the step harmed nobody, and ended as {status}")
        if behaviour.ends == "failed" and status != "failed":
            raise Violation(f"the step cannot have succeeded, and ended as {status}")
        return
    raise Violation("no readable result.json after a hostile step")


def _texts_are_clean(output: Path) -> None:
    """Raise Violation if a file that people print to their terminal holds control characters."""
    for path in (output / "failure.txt", output / "log.jsonl"):
        with contextlib.suppress(OSError):
            found = invariants.CONTROLS.search(path.read_bytes().decode("utf-8", "surrogateescape"))
            if found:
                raise Violation(f"the control character {found[0]!r} is in {path.name}", "escape")


def attempt(trial: Trial, names: list[str], runtime: str) -> None:
    """Build a hostile step beside an honest one, then the honest project with the same cache."""
    behaviour = BEHAVIOURS[trial.deal(names)]
    trial.item = behaviour.name
    site = trial.site
    cache = site.new_cache(trial.folder / "cache")
    outside = make_outside(trial.folder / "outside")
    limits = [f"timeout_s = {behaviour.timeout_s}"] if behaviour.timeout_s else []
    limits += [f"memory_mib = {behaviour.memory_mib}"] if behaviour.memory_mib else []
    before, code_before = invariants.snapshot(outside), invariants.snapshot(site.environments / "code")
    with listener() as heard:
        text = HOSTILE.format(how=behaviour.name, outside=outside, port=heard.port, limits="\n".join(limits))
        project = site.write_project(trial.folder / "project", text)
        done = site.run(project, cache, "run", "build.toml", runtime=runtime)
        try:
            invariants.proper(done, {0, 3})
            _ended_as(behaviour, project, done.code)
            _texts_are_clean(project / "build" / "hostile")
            invariants.nothing_runs()
            invariants.nothing_lies_around(cache)
        finally:
            changed = invariants.changes(before, invariants.snapshot(outside))
            code_changed = invariants.changes(code_before, invariants.snapshot(site.environments / "code"))
            _repair_code(site.environments / "code")
        trial.require(not heard.heard, "the step reached a TCP port of this machine", "escape")
    trial.require(not changed, f"outside of its folder: {'; '.join(changed[:3])}", "escape")
    trial.require(not code_changed, f"the executors' code: {'; '.join(code_changed[:3])}", "escape")
    if found := _holds_secret(project, cache, *site.printed(cache)):
        raise Violation(f"the secret of a file outside is in {found.relative_to(trial.folder)}", "escape")
    site.write_project(project, PROJECT)
    invariants.the_next_run_is_right(trial, project, cache, runtime=runtime)
    if trial.rng.random() < 0.3:  # what was recalled is right in a new build directory, too
        shutil.rmtree(project / "build", ignore_errors=True)
        invariants.the_next_run_is_right(trial, project, cache, runtime=runtime, checks_store=False)


def _repair_code(code: Path) -> None:
    for path in code.rglob("left_by_a_step.txt"):
        path.unlink()


PROMISES = {
    "files": "odd files of a step's own folder end as its own failure or its output",
    "links": "nobody follows a link that a step left",
    "outputs": "what a step prints and records is data, and reaches no terminal raw",
    "processes": "no process outlives its step, and no wait for one is without an end",
    "resources": "a step that takes too much ends as itself",
    "reach": "a step reads, writes and connects to nothing outside of its folder",
    "siblings": "a step changes nothing of another step",
    "handles": "a step forges nothing on the channel of its server",
}


def names_of(module: str) -> list[str]:
    """The behaviours of a module."""
    return sorted(name for name in BEHAVIOURS if name.partition("/")[0] == module)


def _kind(module: str, runtime: str, tries: int) -> Kind:
    names = names_of(module)
    return Kind(
        name=f"hostile/{module}" + ("-docker" if runtime == "docker" else ""),
        promise=PROMISES[module],
        attempt=lambda trial: attempt(trial, names, runtime),
        tries=tries,
        volume=len(names) if runtime == "process" else (len(names) + 1) // 2,
        container=runtime == "docker",
    )


KINDS = [
    *(_kind(module, "process", tries) for module, tries in zip(PROMISES, (3, 2, 3, 3, 1, 3, 2, 2), strict=True)),
    *(_kind(module, "docker", 0) for module in PROMISES),
]
