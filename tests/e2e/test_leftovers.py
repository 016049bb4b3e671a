"""What a process leaves that is killed at any operation, the next command of any kind removes."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from bskernel.host.temporary import mark
from bskernel.images import find_recipes
from bskernel.images.engine import connect
from bskernel.images.recipe_image import RECIPE_LABEL
from support.builds import result_of, write
from support.eventually import eventually
from support.kill_points import choose_points, count_operations, leftovers, processes_with, run_until
from support.own_checkout import make_own_checkout

CONFIG = """
[build]
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
"""
HANG = '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:misbehave"\nparameters = { how = "hang" }\n'
NEXT = (("plan", "build.toml"), ("store", "stat"), ("doctor",), ("steps",), ("explain", "build/number"), ("up",))
POINTS = 6


@pytest.mark.parametrize("victim", ["kernel", "servers"])
def test_nothing_is_left_after_any_one_command(
    cli: Any, tmp_path: Path, cache: Path, surroundings: dict[str, str], victim: Any
) -> None:
    write(tmp_path, CONFIG)
    given: dict[str, Any] = {"cache": cache, "cwd": tmp_path, "variables": surroundings}
    operations = count_operations(["run", "build.toml"], scratch=tmp_path / "operations", **given)
    assert operations > 100
    for number, point in enumerate(choose_points(operations, POINTS, seed=17)):
        killed = run_until(point, ["run", "build.toml", "--fresh"], victim=victim, **given)
        assert victim != "kernel" or killed.returncode in {0, -9}
        following = NEXT[number % len(NEXT)]
        done = cli(*following)
        assert "Traceback" not in done.stderr, (point, following, done.stderr)
        assert leftovers(cache) == [], (point, following)
        assert processes_with(cache) == [], (point, following)
        again = cli("run", "build.toml")
        assert again.returncode == 0, (point, again.stderr)
        assert leftovers(cache, tmp_path / "build") == [], (point, following)


def left_by_another(path: Path) -> Path:
    """The path with the mark of a process that has ended."""
    code = "from bskernel.host.temporary import mark; print(mark())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return path.with_name(f"{path.name}{done.stdout.strip()}")


def test_what_was_removed_is_said_once_and_doctor_and_check_name_it(cli: Any, cache: Path) -> None:
    for command in (("steps",), ("doctor",), ("store", "check")):
        (cache / "incoming").mkdir(exist_ok=True)
        (cache / "sessions" / "0123456789abcdef" / "steps").mkdir(parents=True)
        doomed = left_by_another(cache / "incoming" / "1")
        doomed.write_bytes(b"half of a blob")
        left_by_another(cache / "files.msgpack").touch()
        first, second = cli(*command), cli(*command)
        line = "removed what killed processes left in the cache: 1 session, 2 temporary files"
        assert line in first.stderr
        assert "removed what" not in second.stderr
        assert (str(doomed) in first.stderr) == (command != ("steps",))
        assert leftovers(cache) == []


def test_what_a_living_process_uses_stays(cli: Any, begin: Any, tmp_path: Path, cache: Path) -> None:
    build = begin("run", write(tmp_path, HANG))
    eventually(lambda: "misbehave" in (tmp_path / "begun.out").read_text() or list(cache.glob("sessions/*/steps/*")))
    ours = cache / "incoming" / f"1{mark()}"
    ours.write_bytes(b"being written")
    (session,) = (cache / "sessions").iterdir()
    for command in (("steps",), ("doctor",), ("up", "testing"), ("up",)):
        assert "removed what" not in cli(*command).stderr
    assert ours.exists()
    assert session.exists()
    assert build.poll() is None
    cli("down")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can hand a folder to another user")
def test_a_cache_of_another_user_is_read_and_left_as_it_is(
    cli: Any, tmp_path: Path, cache: Path, surroundings: dict[str, str]
) -> None:
    write(tmp_path, CONFIG)
    assert cli("run", "build.toml").returncode == 0
    (cache / "sessions" / "0123456789abcdef").mkdir()
    tmp_path.chmod(0o755)
    code = (
        "import os, shutil, sys; from pathlib import Path; "
        "import bskernel.runtime.orphans, bskernel.runtime.session_dirs, bskernel.runtime.warm.registry; "
        "from bskernel.workspace.leftovers import find_leftovers, remove_leftovers; "
        "os.setgid(65534); os.setuid(65534); "
        "print(len(remove_leftovers(find_leftovers(Path(sys.argv[1])))))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(cache)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert (cache / "sessions" / "0123456789abcdef").exists()


def test_help_looks_at_no_cache(cli: Any, cache: Path) -> None:
    (cache / "sessions" / "0123456789abcdef").mkdir(parents=True)
    for arguments in (("--help",), ("run", "--help"), ("store", "check", "-h")):
        assert cli(*arguments).returncode == 0
    assert (cache / "sessions" / "0123456789abcdef").exists()


@pytest.mark.container
@pytest.mark.parametrize("runtime", ["docker"], indirect=True)
def test_an_image_whose_making_is_killed_is_made_by_the_next_command_and_no_container_of_it_is_left(
    root: Path, cli: Any, begin: Any, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    checkout = tmp_path / "checkout"
    recipe = make_own_checkout(root, checkout, "leftovers") / "image.toml"
    surroundings["BSKERNEL_ROOT"] = str(checkout)
    # No other test's image: its layers are in no cache.
    recipe.write_text(recipe.read_text() + f'\n[environment]\nKILLED = "{uuid.uuid4()}"\n')
    config = write(tmp_path, CONFIG)
    kernel = begin("run", config)
    eventually(lambda: "building bskernel/testing:leftovers" in (tmp_path / "begun.out").read_text())
    kernel.kill()
    kernel.wait()
    done = cli("run", config)
    assert done.returncode == 0, done.stderr
    assert result_of(tmp_path / "build" / "number")["runtime"] == "docker"
    client = connect()
    label = f"{RECIPE_LABEL}={find_recipes(checkout)[0].digest}"
    eventually(lambda: client.containers(all=True, filters={"label": label}) == [])
    client.close()
