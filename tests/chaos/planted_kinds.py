"""Kinds that are violated on purpose, to prove that the campaign notices. Run it like the campaign."""

import os
import subprocess
import sys
import time

from chaos import invariants
from chaos.__main__ import main
from chaos.kind import Kind, Trial, Unable
from chaos.site import Finished


def _keep(trial: Trial) -> None:
    trial.item = f"drawn {trial.rng.random()}"


def _leave_process(trial: Trial) -> None:
    """A daemon with nothing of ours in its environment."""
    code = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], env={}, check=True)
    invariants.nothing_runs(0.5)


def _leave_session(trial: Trial) -> None:
    (trial.folder / "sessions" / "0").mkdir(parents=True)
    invariants.nothing_lies_around(trial.folder)


def _build_wrong(trial: Trial) -> None:
    project, _ = trial.site.copy_template(trial.folder)
    blob = project / "build" / "sum" / "artifacts" / "tree" / "leaves" / "deep" / "large.bin"
    blob.write_bytes(bytes(blob.stat().st_size))
    invariants.the_build_is_right(trial, project)


def _say(text: str, code: int | None = 0) -> None:
    invariants.proper(Finished(command="bskernel x", code=code, out=text, err="", seconds=0))


def _wait(trial: Trial) -> None:
    os.mkfifo(trial.folder / "queue")
    (trial.folder / "queue").read_bytes()


def _break(trial: Trial) -> None:
    raise ZeroDivisionError


def _be_unable(trial: Trial) -> None:
    raise Unable("no such thing here")


TRACEBACK = 'Traceback (most recent call last):\n  File "/x/kernel/bskernel/cli/run.py", line 1\nKeyError: 1\n'
KINDS = [
    Kind(name="planted/kept", promise="kept", attempt=_keep, tries=3),
    Kind(name="planted/process", promise="no process", attempt=_leave_process, tries=1),
    Kind(name="planted/session", promise="no folder", attempt=_leave_session, tries=1),
    Kind(name="planted/wrong", promise="right bytes", attempt=_build_wrong, tries=1),
    Kind(name="planted/traceback", promise="no traceback", attempt=lambda _: _say(TRACEBACK, 1), tries=1),
    Kind(name="planted/crash", promise="no unforeseen end", attempt=lambda _: _say("sorry", 70), tries=1),
    Kind(name="planted/silence", promise="a word", attempt=lambda _: _say("", 4), tries=1),
    Kind(name="planted/escape", promise="no escapes", attempt=lambda _: _say("\x1b[2J"), tries=1),
    Kind(name="planted/hang", promise="an end", attempt=lambda _: _say("", None), tries=1),
    Kind(name="planted/stuck", promise="an end", attempt=_wait, tries=1, limit_s=1),
    Kind(name="planted/broken", promise="a working trial", attempt=_break, tries=1),
    Kind(name="planted/unable", promise="nothing", attempt=_be_unable, tries=1),
    Kind(name="planted/slow", promise="kept", attempt=lambda _: time.sleep(0.1), tries=1),
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], KINDS))
