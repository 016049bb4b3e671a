"""Whole builds by the command line, with a real executor, in either runtime."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.images.engine import connect
from bskernel.runtime.container import SESSION_LABEL
from bskernel.runtime.session_dirs import processes_of
from support.builds import result_of, statuses, write
from support.paths import BSKERNEL

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[target]
target_fps = {fps}
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
[[step]]
name = "again"
entry = "testing:double"
"""
MISBEHAVE = """
[build]
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:misbehave"
parameters = {{ how = "{how}" }}
{more}
"""


def containers_of(session: str) -> list[str]:
    """Containers of a session, in whatever state; none where there is no engine."""
    try:
        client = connect()
    except EnvironmentLacking:
        return []
    labels = {"label": f"{SESSION_LABEL}={session}"}
    return [found["Id"] for found in client.containers(all=True, filters=labels)]


@pytest.mark.in_both
def test_a_build_runs_and_its_second_run_recalls_everything(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, CONFIG.format(fps=3))
    first = cli("run", config)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "build" / "sum" / "artifacts" / "model").read_text() == "26"
    assert cli("run", config).returncode == 0
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["recalled"] * 3


def test_a_changed_parameter_reruns_from_the_step_that_reads_it_and_plan_says_why(cli: Any, tmp_path: Path) -> None:
    cli("run", write(tmp_path, CONFIG.format(fps=3)))
    config = write(tmp_path, CONFIG.format(fps=4))
    plan = cli("plan", config).stdout
    assert "parameter number: 3 -> 4" in plan
    assert cli("run", config).returncode == 0
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["recalled", "ran", "ran"]


def test_two_paths_give_the_same_digests(cli: Any, tmp_path: Path) -> None:
    digests = []
    for name in ("here", "a-longer-path/there"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        assert cli("run", write(folder, CONFIG.format(fps=3)), "--fresh").returncode == 0
        digests.append([step["outputs"] for step in result_of(folder / "build" / "sum")["steps"]])
    assert digests[0] == digests[1]


@pytest.mark.in_both
@pytest.mark.parametrize(
    ("how", "category", "text"),
    [
        ("raise", "transform", "ValueError: invalid literal for int() with base 10: 'many'"),
        ("refuse", "kernel", "layer LabelSelect has no RTL"),
        ("die", "crash", "signal 11"),
        ("nothing", "executor", "wrote no output 'model'"),
        ("undeclared", "executor", "'more'"),
        ("outside", "executor", "'more' outside out/ and work/"),
        ("link-out", "executor", "'model' is not a file"),
        ("leak", "executor", "contains a path of this machine"),
        ("garbage-result", "executor", "unreadable result"),
    ],
)
def test_each_misdeed_ends_in_its_own_failure(cli: Any, tmp_path: Path, how: str, category: str, text: str) -> None:
    done = cli("run", write(tmp_path, MISBEHAVE.format(how=how, more="")))
    failure = result_of(tmp_path / "build" / "number")["failure"]
    assert done.returncode == 3
    assert failure["category"] == category
    assert text in failure["message"]
    assert text in done.stdout


def test_a_failure_says_where_the_log_lies(cli: Any, tmp_path: Path) -> None:
    cli("run", write(tmp_path, MISBEHAVE.format(how="raise", more="")))
    failure = result_of(tmp_path / "build" / "number")["failure"]
    assert "about to do wrong" in Path(failure["log"]).read_text()
    assert any(line.startswith("arithmetic.py:") for line in failure["cause"])


@pytest.mark.in_both
def test_a_step_that_writes_to_its_input_spoils_no_artifact(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, MISBEHAVE.format(how="spoil-input", more=""))
    assert cli("run", config).returncode == 0
    assert cli("run", config, "--to", "double", "--output", "again").returncode == 0
    assert (tmp_path / "again" / "artifacts" / "model").read_text() == "10"


@pytest.mark.in_both
def test_garbage_on_the_channel_is_a_failure_of_its_own_and_shown(cli: Any, tmp_path: Path) -> None:
    text = '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:spoil-channel"\n'
    done = cli("run", write(tmp_path, text))
    failure = result_of(tmp_path / "build" / "number")["failure"]
    assert (done.returncode, failure["category"]) == (3, "executor")
    assert "wrote invalid bytes to the protocol channel" in failure["message"]
    assert failure["cause"][0] == "a library's progress bar"
    assert "a library's progress bar" in done.stdout


@pytest.mark.in_both
def test_a_failed_step_is_not_cached(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, MISBEHAVE.format(how="raise", more=""))
    assert cli("run", config).returncode == 3
    assert cli("run", config).returncode == 3
    assert [step["status"] for step in result_of(tmp_path / "build" / "number")["steps"]] == ["recalled", "failed"]


@pytest.mark.in_both
def test_a_session_warms_up_beside_its_first_step_and_does_not_keep_it_from_ending(cli: Any, tmp_path: Path) -> None:
    text = '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:wait-for-warmth"\ntimeout_s = 20\n'
    assert cli("run", write(tmp_path, text)).returncode == 0


@pytest.mark.in_both
def test_a_step_that_hangs_ends_at_its_time_limit(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, MISBEHAVE.format(how="hang", more="timeout_s = 0.5"))).returncode == 3
    assert result_of(tmp_path / "build" / "number")["failure"]["category"] == "timeout"


@pytest.mark.in_both
def test_a_step_that_takes_too_much_memory_says_so(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, MISBEHAVE.format(how="memory", more="memory_mib = 512"))).returncode == 3
    assert result_of(tmp_path / "build" / "number")["failure"]["category"] == "out_of_memory"


@pytest.mark.in_both
def test_a_process_that_left_its_group_does_not_outlive_the_step(cli: Any, tmp_path: Path, cache: Path) -> None:
    assert cli("run", write(tmp_path, MISBEHAVE.format(how="escape", more=""))).returncode == 0
    (log,) = (tmp_path / "build" / "number" / "steps").glob("*-misbehave/log.jsonl")
    session = re.search(r"session (\w+)", log.read_text())
    assert session
    assert processes_of(session.group(1)) == []
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.in_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_kernel_however_it_ends(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], cache: Path, signum: signal.Signals
) -> None:
    config = write(tmp_path, MISBEHAVE.format(how="hang", more=""))
    kernel = subprocess.Popen(
        [BSKERNEL, "run", config],
        env=surroundings,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert kernel.stderr is not None
    assert any(b"double" in line for line in iter(kernel.stderr.readline, b""))
    (session,) = [path.name for path in (cache / "sessions").iterdir()]
    kernel.send_signal(signum)
    code = kernel.wait(timeout=20)
    kernel.stderr.close()
    assert code == (-9 if signum == signal.SIGKILL else 130)
    config = write(tmp_path, CONFIG.format(fps=3))
    assert cli("run", config).returncode == 0
    assert processes_of(session) == []
    assert containers_of(session) == []
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.container
def test_a_container_can_do_nothing_but_its_step(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:look"\n')
    assert cli("run", config, "--runtime", "docker").returncode == 0
    seen = result_of(tmp_path / "build" / "number")["steps"][0]["record"]
    assert seen["writable"] == ["work"]
    assert seen["interfaces"] == ["lo"]
    assert seen["uid"] == os.getuid()
    assert int(seen["capabilities"], 16) == 0
    assert seen["no_new_privileges"] == "1"


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("[build]\nmodel = 'number.txt'\nflwo = 'x'\n", ["flwo", "[build]", "did you mean 'flow'"]),
        ("[build]\nmodel = 'number.txt'\nflow = 'none'\n", ["build.flow", "estimate"]),
        ("[build]\nmodel = 'gone.onnx'\n", ["build.model", "gone.onnx"]),
        ("[build]\nmodel = 3\n", ["build.model", "a text in quotes"]),
        ("[target]\nclock_ns = 5\n", ["[build]"]),
        ("[build]\nmodel = 'number.txt'\n[target]\nclock_ns = 0\n", ["clock_ns"]),
        ("[build", ["TOML"]),
        ("[build]\nmodel='number.txt'\n[[step]]\nentry='testing:ad'\n", ["'ad'", "did you mean 'add'"]),
        ("[build]\nmodel='number.txt'\n[[step]]\nentry='testng:add'\n", ["testng", "testing"]),
        ("[build]\nmodel='number.txt'\n[[step]]\nentry='testing:add'\nparameters={numbr=1}\n", ["numbr", "number"]),
        (
            "[build]\nmodel='number.txt'\n[[step]]\nentry='testing:add'\nparameters={number='x'}\n",
            ["number", "a whole number"],
        ),
        (
            "[build]\nmodel='number.txt'\n[[step]]\nentry='testing:double'\n[[step]]\nentry='testing:needs-rtl'\n",
            ["stage rtl", "produce stage finn"],
        ),
    ],
)
def test_bad_input_names_file_key_and_choices(cli: Any, tmp_path: Path, text: str, needles: list[str]) -> None:
    done = cli("run", write(tmp_path, text))
    assert done.returncode == 2
    assert "build.toml" in done.stderr
    for needle in needles:
        assert needle in done.stderr


def test_a_range_without_steps_is_refused_with_the_order(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, CONFIG.format(fps=1)), "--from", "again", "--to", "double")
    assert done.returncode == 2
    assert "double, add, again" in done.stderr


def test_a_range_of_steps_is_run_alone(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, CONFIG.format(fps=1)), "--from", "1", "--to", "-2").returncode == 0
    assert [step["name"] for step in result_of(tmp_path / "build" / "sum")["steps"]] == ["add"]


@pytest.mark.in_both
def test_a_finished_step_is_replayed_from_its_manifest(cli: Any, tmp_path: Path) -> None:
    cli("run", write(tmp_path, CONFIG.format(fps=3)))
    done = cli("replay", str(tmp_path / "build" / "sum"), "add")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "replay" / "01-add" / "out" / "model").read_text() == "13"
    assert "unknown step 'ad'" in cli("replay", str(tmp_path / "build" / "sum"), "ad").stderr
