"""Which processes belong to a session, while others begin and end."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bskernel.runtime.session_dirs import SessionFolders, end_processes_of, processes_of


@pytest.fixture
def vanishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are listed, and have ended by the time that anything is asked of their files by name."""
    stat, listdir = os.stat, os.listdir

    def stat_of(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if "/proc/" in str(path) and str(path).count("/") > 2:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), path)
        return stat(path, *arguments, **options)

    def names_in(path: Any = ".") -> list[str]:
        return ["999999999", *listdir(path)] if path == "/proc" else listdir(path)

    monkeypatch.setattr(os, "stat", stat_of)
    monkeypatch.setattr(os, "listdir", names_in)


@pytest.mark.usefixtures("vanishing")
def test_a_process_that_ends_while_it_is_looked_at_hides_no_other(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(10)"]
    environment = {**os.environ, "BSKERNEL_SESSION": "looked-at"}
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as marked,
        subprocess.Popen(command, env={}, cwd=tmp_path, stdout=subprocess.PIPE) as inside,
    ):
        assert marked.stdout is not None
        assert marked.stdout.readline() == b"\n"
        assert inside.stdout is not None
        assert inside.stdout.readline() == b"\n"
        assert processes_of("looked-at") == [marked.pid]
        end_processes_of(SessionFolders(id="looked-at", path=tmp_path))
        assert marked.wait() == inside.wait() == -9
