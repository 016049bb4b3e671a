"""Steps that run code of the user's: in a session that no other step and no other build uses."""

from pathlib import Path
from typing import Any

import pytest
from support.builds import write

BUILD = """
[build]
model = "number.txt"
[[step]]
name = "before"
entry = "testing:run-code"
[[step]]
name = "users"
entry = "testing:run-code"
inputs = { source = "code" }
[[step]]
name = "after"
entry = "testing:run-code"
"""


def sessions(build: Path) -> dict[str, str]:
    """The session in which each step ran, by its name."""
    found = {}
    for log in build.glob("steps/*/log.jsonl"):
        found[log.parent.name[3:]] = log.read_text().split('"session ')[1].split('"')[0]
    return found


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("open('/var/tmp/left', 'w')", "writes only below its own folder: give it /var/tmp/left as an input"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "a step has no network"),
    ],
)
def test_code_of_the_user_that_reaches_beyond_its_folder_is_told_what_to_do(
    cli: Any, tmp_path: Path, code: str, hint: str
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own.py").write_text(f"def number():\n    {code}\n    return 7\n")
    done = cli("run", write(tmp_path, BUILD))
    assert done.returncode == 3
    assert hint in done.stdout


@pytest.mark.in_both
def test_code_of_the_user_runs_in_a_session_of_its_own_that_is_not_kept(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own.py").write_text("def number():\n    return 7\n")
    config = write(tmp_path, BUILD)
    builds = []
    for output in ("first", "second"):
        done = cli("run", config, "--keep-warm", "60s", "--fresh", "--output", output)
        assert done.returncode == 0, done.stderr
        builds.append(sessions(tmp_path / output))
    cli("down")
    first, second = builds
    assert first["before"] == first["after"] == second["before"] == second["after"]
    assert len({first["before"], first["users"], second["users"]}) == 3
