"""What a build that has nothing to do does, in counts that depend on no machine: files, processes, bytes, modules."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, statuses

# Runs a command of bskernel and tells, at its end, what it opened, started, asked of an engine, hashed and imported.
WATCHED = """
import hashlib, json, sys
told, real = [], hashlib.sha256
def sha256(data=b"", **named):
    told.append(("hashed", len(data)))
    return real(data, **named)
hashlib.sha256 = sha256
def heard(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith((".pyc", ".so", ".pth")):
        told.append(("opened", arguments[0]))
    elif event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec", "socket.connect"):
        told.append(("started", event))
    elif event == "http.client.send":
        told.append(("asked", arguments[1][:200].decode("latin-1").splitlines()[0]))
    elif event == "os.rename":
        told.append(("written", arguments[1]))
sys.addaudithook(heard)
from bskernel.cli import main
sys.argv = sys.argv[1:]
path = sys.argv.pop(0)
try:
    main()
except SystemExit:
    pass
finally:
    kept = list(told)
    with open(path, "w") as file:
        json.dump({"told": kept, "modules": sorted(sys.modules)}, file)
"""
STEPS = 12


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "number.txt").write_text("5")
    steps = [
        f'[[step]]\nname = "s{at}"\nentry = "testing:add"\nparameters = {{ number = {at} }}\n' for at in range(STEPS)
    ]
    path = tmp_path / "build.toml"
    path.write_text('[build]\nname = "b"\nmodel = "number.txt"\n' + "".join(steps))
    return path


def watch(surroundings: dict[str, str], folder: Path, *arguments: str) -> tuple[list[tuple[str, Any]], set[str]]:
    command = [sys.executable, "-c", WATCHED, str(folder / "told.json"), "bskernel", *arguments]
    subprocess.run(command, env=surroundings, check=True, capture_output=True, cwd=folder)
    found = json.loads((folder / "told.json").read_text())
    return [(kind, what) for kind, what in found["told"]], set(found["modules"])


def test_a_build_with_nothing_to_do_does_little(
    cli: Any, surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    assert cli("run", str(config)).returncode == 0
    told, modules = watch(surroundings, tmp_path, "run", str(config))
    counts = Counter(kind for kind, _ in told)
    opened = Counter(str(what) for kind, what in told if kind == "opened" and not str(what).endswith(".py"))
    assert counts["started"] == 0
    blobs = [path for path in opened if "/blobs/" in path]
    # Of each step its result and its log are read; no artifact is.
    assert len(blobs) <= STEPS
    assert sum("/actions/" in path for path in opened) == STEPS
    assert max(opened[path] for path in blobs) == 1
    # And what the build directory holds of it, to see that it is the same: three files of each step, its own ten
    # that are digested, and git's that say the commit.
    # The metadata of each installed package is looked at once, for executors that it may bring.
    metadata = {path for path in opened if path.endswith("/entry_points.txt")}
    assert all(opened[path] == 1 for path in metadata)
    assert sum(opened[path] for path in opened.keys() - metadata) <= 5 * STEPS + 48
    # The build's own five files are written anew, and none of a step's.
    assert counts["written"] <= 6
    assert {"docker", "rich", "requests", "http", "email", "asyncio", "uv", "fastjsonschema"}.isdisjoint(modules)
    assert {"logging", "concurrent.futures", "subprocess", "tempfile", "shutil", "difflib"}.isdisjoint(modules)
    assert {"structlog", "bskernel.report.log_pipeline", "hmac", "bskernel.core.redaction"}.isdisjoint(modules)


@pytest.mark.in_both
def test_a_chain_starts_one_executor_and_a_cached_one_none(
    cli: Any, surroundings: dict[str, str], config: Path, runtime: str, tmp_path: Path
) -> None:
    first = tmp_path / "first.toml"
    first.write_text('[build]\nname = "first"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n')
    assert cli("run", str(first)).returncode == 0  # makes what is made once
    told, _ = watch(surroundings, tmp_path, "run", str(config))
    processes = [what for kind, what in told if kind == "started" and what != "socket.connect"]
    containers = [what for kind, what in told if kind == "asked" and "/start " in str(what)]
    assert (len(processes), len(containers)) == ((1, 0) if runtime == "process" else (0, 1))
    told, _ = watch(surroundings, tmp_path, "run", str(config))
    assert [what for kind, what in told if kind in {"started", "asked"}] == []


@pytest.mark.in_both
def test_a_build_in_warm_sessions_imports_no_sdk_and_knows_the_engine_nevertheless(
    cli: Any, surroundings: dict[str, str], config: Path, runtime: str, tmp_path: Path
) -> None:
    def engine() -> Any:
        return result_of(tmp_path / "build" / "b")["origin"]["engine"]

    assert cli("run", str(config)).returncode == 0
    own = engine()
    assert (own is None) == (runtime == "process")
    assert cli("up", str(config)).returncode == 0
    try:
        told, modules = watch(surroundings, tmp_path, "run", str(config), "--fresh")
    finally:
        assert cli("down").returncode == 0
    assert engine() == own
    assert set(statuses(tmp_path / "build" / "b").values()) == {"ran"}
    assert [what for kind, what in told if kind == "asked"] == []
    # Nothing starts that would take as long as these imports.
    assert {"docker", "requests", "http", "asyncio", "structlog", "bskernel.report.log_pipeline"}.isdisjoint(modules)


def test_what_a_build_with_nothing_to_do_reads_and_hashes_grows_with_its_steps_alone(
    cli: Any, surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    (tmp_path / "number.txt").write_bytes(b"5" + b" " * 3_000_000)  # a large model: its bytes are in no count
    time.sleep(2.1)  # what has just been written is read again: it might still change unseen
    counts = []
    for steps in (STEPS, 2 * STEPS):
        longer = tmp_path / f"{steps}.toml"
        step = '[[step]]\nname = "t{at}"\nentry = "testing:add"\nparameters = {{ number = {at} }}\n'
        longer.write_text(
            config.read_text() + "".join(step.format(at=at) for at in range(STEPS, steps)), encoding="utf-8"
        )
        command = ("run", str(longer), "--set", f"build.name=of-{steps}")
        assert cli(*command).returncode == 0
        told, _ = watch(surroundings, tmp_path, *command)
        opened = [str(what) for kind, what in told if kind == "opened" and not str(what).endswith(".py")]
        counts.append((len(opened), sum(what for kind, what in told if kind == "hashed")))
    (files, hashed), (more_files, more_hashed) = counts
    assert more_files - files <= 5 * STEPS
    assert more_hashed - hashed <= 3_500 * STEPS
    assert hashed <= 62_000


def test_neither_the_user_s_files_nor_sources_of_executors_are_read_again(
    cli: Any, surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    time.sleep(2.1)  # what has just been written is read again: it might still change unseen
    assert cli("run", str(config)).returncode == 0
    told, _ = watch(surroundings, tmp_path, "run", str(config))
    opened = [str(what) for kind, what in told if kind == "opened"]
    assert str(tmp_path / "number.txt") not in opened
    assert [path for path in opened if "/bskernel_executors/" in path or "/testing_executor/" in path] == []
    # What is hashed are keys, results and the directory's own files: of 12 actions, and the list of executors' files.
    assert sum(what for kind, what in told if kind == "hashed") < 62_000


def test_a_change_of_a_file_is_seen_by_the_next_build(cli: Any, config: Path, tmp_path: Path) -> None:
    for number in ("5", "6"):  # of one size, and written within one tick of many a clock
        (tmp_path / "number.txt").write_text(number)
        assert cli("run", str(config)).returncode == 0
        made = (tmp_path / "build" / "b" / "artifacts" / "model").read_text()
        assert int(made) == int(number) + sum(range(STEPS))


def test_a_sweep_with_nothing_to_do_recalls_each_step_once_and_writes_no_point(
    cli: Any, surroundings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    points = 8
    values = ", ".join(str(at + 100) for at in range(points))
    flow = config.read_text().partition("[[step]]")
    (tmp_path / "flow.toml").write_text("[[step]]" + flow[2])
    config.write_text(
        f'{flow[0]}flow = "flow.toml"\n[sweep.grid]\n"step.s{STEPS - 1}.parameters.number" = [{values}]\n'
    )
    assert cli("sweep", str(config)).returncode == 0
    told, modules = watch(surroundings, tmp_path, "sweep", str(config))
    nodes = STEPS - 1 + points
    opened = Counter(str(what) for kind, what in told if kind == "opened" and not str(what).endswith(".py"))
    counts = Counter(kind for kind, _ in told)
    assert counts["started"] == 0
    assert sum("/actions/" in path for path in opened) == nodes
    assert max(number for path, number in opened.items() if "/actions/" in path) == 1
    # Neither logs nor artifacts are read, and of a point's directory six files that say whether it is whole.
    assert sum("/blobs/" in path for path in opened) == 0
    assert sum("/points/" in path for path in opened) == 6 * points
    # Digests of files that were written a moment ago are not kept: whether any are now depends on the machine's pace.
    written = [str(what) for kind, what in told if kind == "written" and not str(what).endswith("files.msgpack")]
    assert len(written) <= 3, written
    assert {"docker", "rich", "requests", "http", "email", "asyncio", "logging", "structlog"}.isdisjoint(modules)
