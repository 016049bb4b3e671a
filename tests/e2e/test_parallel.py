"""Steps that run at once, by the command line, with a real executor. What ran when is told by events, not by time."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bskernel.runtime.session_dirs import processes_of
from support.builds import result_of, statuses, write
from support.eventually import eventually

BUILD = '[build]\nname = "b"\nmodel = "number.txt"\n'
MEET = """
[[step]]
name = "{name}"
entry = "testing:meet"
inputs = {{ model = "number.txt" }}
parameters = {{ word = "{name}", until = {until}, then = "{then}" }}
"""
COLLECT = """
[[step]]
entry = "testing:collect"
inputs = { model = "number.txt" }
"""
AFTER = """
[[step]]
name = "{name}"
entry = "testing:double"
inputs = {{ model = "{of}.model" }}
"""


def meet(name: str, *until: str, then: str = "end") -> str:
    return MEET.format(name=name, until=list(until), then=then)


def told(output: Path) -> list[tuple[str, str]]:
    """What became of which step, in the order in which it was told."""
    try:
        lines = (output / "log.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(line["event"], line["step"]) for line in map(json.loads, lines) if "step" in line]


def words(cache: Path, word: str) -> list[Path]:
    """The sessions whose steps have left that word; a folder that is being removed is none."""
    found = [path.parent for path in (cache / "sessions").glob(f"*/steps/.{word}")]
    return [path for path in found if ".tmp-" not in path.parent.name]


@pytest.mark.in_both
def test_independent_steps_run_at_once_and_are_reported_in_the_plan_s_order(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD, meet("a", "b"), meet("b", "a"), AFTER.format(name="c", of="a"))
    done = cli("run", config, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert list(statuses(tmp_path / "build" / "b").items()) == [("a", "ran"), ("b", "ran"), ("c", "ran")]
    events = told(tmp_path / "build" / "b")
    assert {event for event, _ in events[:2]} == {"step started"}
    assert {step for _, step in events[:2]} == {"a", "b"}


def test_one_job_is_one_step_after_another(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD, meet("a"), meet("b"), meet("c"))
    assert cli("run", config, "--jobs", "1").returncode == 0
    expected = [(event, step) for step in "abc" for event in ("step started", "step ended")]
    assert told(tmp_path / "build" / "b") == expected


def test_limits_are_the_build_s_and_change_no_key_and_no_record(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD, meet("a"), "[limits]\njobs = 1\nmemory_mib = 100\nresources = { vivado = 1 }\n")
    assert cli("run", config, "--runtime", "process").returncode == 0
    kept = (tmp_path / "build" / "b" / "config.json").read_text()
    config = write(tmp_path, BUILD, meet("a"))
    assert cli("run", config).returncode == 0
    assert statuses(tmp_path / "build" / "b") == {"a": "recalled"}
    assert (tmp_path / "build" / "b" / "config.json").read_text() == kept
    done = cli("run", write(tmp_path, BUILD, meet("a"), "[limits]\njobs = 0\n"))
    assert done.returncode == 2
    assert "jobs must be above 0, not 0" in done.stderr


def test_of_equal_steps_one_runs(cli: Any, tmp_path: Path) -> None:
    # Both say the same word: their actions are equal, and only one of them waits for c.
    equal = [meet("a", "c").replace('name = "a"', f'name = "{name}"', 1) for name in ("first", "second")]
    config = write(tmp_path, BUILD, *equal, meet("c", "a"))
    assert cli("run", config, "--jobs", "3").returncode == 0
    assert statuses(tmp_path / "build" / "b") == {"first": "ran", "second": "recalled", "c": "ran"}
    assert cli("run", config, "--jobs", "3", "--fresh").returncode == 0
    assert set(statuses(tmp_path / "build" / "b").values()) == {"ran"}


def test_two_builds_at_once_carry_an_action_out_once(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path
) -> None:
    config = write(tmp_path, BUILD, meet("a", "go"))
    first, second = tmp_path / "first", tmp_path / "second"
    kernels = [begin("run", config, "--output", str(first))]
    (session,) = eventually(lambda: words(cache, "a"))
    kernels.append(begin("run", config, "--output", str(second)))
    eventually(lambda: ("step started", "a") in told(second))
    (session / ".go").touch()
    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    assert [statuses(first)["a"], statuses(second)["a"]] == ["ran", "recalled"]


def test_a_build_takes_over_from_one_that_died(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path
) -> None:
    config = write(tmp_path, BUILD, meet("a", "go"))
    dying = begin("run", config, "--output", str(tmp_path / "first"))
    (dead,) = eventually(lambda: words(cache, "a"))
    heir = begin("run", config, "--output", str(tmp_path / "second"))
    eventually(lambda: ("step started", "a") in told(tmp_path / "second"))
    dying.kill()
    dying.wait()
    (session,) = eventually(lambda: [path for path in words(cache, "a") if path != dead])
    (session / ".go").touch()
    assert heir.wait(60) == 0
    assert statuses(tmp_path / "second") == {"a": "ran"}


@pytest.mark.in_both
def test_after_a_failure_what_runs_ends_and_is_kept_and_nothing_else_starts_but_what_is_for_failures(
    cli: Any, begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path
) -> None:
    output = tmp_path / "out"
    config = write(
        tmp_path,
        BUILD,
        meet("a", "b", then="fail"),
        meet("b", "a", "go"),
        meet("c"),
        AFTER.format(name="d", of="b"),
        COLLECT,
    )
    kernel = begin("run", config, "--output", str(output), "--jobs", "2")
    eventually(lambda: ("step failed", "a") in told(output))
    (session,) = words(cache, "b")
    (session / ".go").touch()
    assert kernel.wait(60) == 3
    expected = {"a": "failed", "b": "ran", "c": "skipped", "d": "skipped", "collect": "ran"}
    assert statuses(output) == expected
    assert told(output)[-4:] == [
        ("step failed", "a"), ("step ended", "b"), ("step started", "collect"), ("step ended", "collect"),
    ]  # fmt: skip
    assert result_of(output)["failed_step"] == "a"
    assert cli("run", config, "--to", "b", "--from", "b", "--output", str(output)).returncode == 0
    assert statuses(output) == {"b": "recalled"}


@pytest.mark.in_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_that_runs_and_says_so_of_each(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, signum: signal.Signals
) -> None:
    output = tmp_path / "out"
    config = write(tmp_path, BUILD, meet("a", "never"), meet("b", "never"), meet("c"))
    kernel = begin("run", config, "--output", str(output), "--jobs", "2")
    (session,) = eventually(lambda: words(cache, "a") if words(cache, "b") else [])
    logs = {name: next(session.glob(f"*/steps/{name}/log.jsonl")) for name in ("00-a", "01-b")}
    eventually(lambda: all("is here" in log.read_text() for log in logs.values()))
    kernel.send_signal(signum)
    assert kernel.wait(60) == 130
    assert statuses(output) == {"a": "interrupted", "b": "interrupted", "c": "skipped"}
    assert result_of(output)["failure"]["facts"]["signal"] == signum.name
    for name in logs:
        assert f"{name[-1]} is here" in (output / "steps" / name / "log.jsonl").read_text()
    assert processes_of(session.parent.name) == []
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.in_both
def test_a_step_whose_session_another_ended_runs_again_alone(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path
) -> None:
    output = tmp_path / "out"
    config = write(tmp_path, BUILD, meet("a", "go"), meet("b", "a", then="end-session"))
    kernel = begin("run", config, "--output", str(output), "--jobs", "2")
    (first,) = eventually(lambda: words(cache, "b"))
    (second,) = eventually(lambda: [path for path in words(cache, "a") if path != first])
    (second / ".go").touch()
    assert kernel.wait(60) == 3
    assert statuses(output) == {"a": "ran", "b": "failed"}
    assert "wrote invalid bytes" in result_of(output)["failure"]["message"]
    started = [step for event, step in told(output) if event == "step started"]
    assert started == ["a", "b", "a", "b"]


@pytest.mark.container
@pytest.mark.parametrize("runtime", ["docker"], indirect=True)
def test_a_memory_limit_is_its_step_s_alone(cli: Any, tmp_path: Path) -> None:
    greedy = (
        '[[step]]\nname = "greedy"\nentry = "testing:misbehave"\ninputs = { model = "number.txt" }\n'
        'parameters = { how = "memory-together" }\nmemory_mib = 512\n'
    )
    # Beside it, without a limit: in another container, in which nothing is ended.
    config = write(tmp_path, BUILD, meet("a", "b"), greedy, meet("b", "a"))
    assert cli("run", config, "--jobs", "3").returncode == 3
    assert statuses(tmp_path / "build" / "b") == {"a": "ran", "greedy": "failed", "b": "ran"}
    failure = result_of(tmp_path / "build" / "b")["failure"]
    assert failure["category"] == "out_of_memory"
    assert "its limit of 512 MiB" in failure["message"]
    assert [step for event, step in told(tmp_path / "build" / "b") if event == "step started"].count("greedy") == 1


def test_a_build_needs_no_more_processors_than_it_may_have(cli: Any, tmp_path: Path) -> None:
    """Without a limit as many steps run as there are processors for this process."""
    config = write(tmp_path, BUILD, meet("a"), meet("b"), meet("c"))
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        assert cli("run", config).returncode == 0
    finally:
        os.sched_setaffinity(0, cpus)
    assert [event for event, _ in told(tmp_path / "build" / "b")] == ["step started", "step ended"] * 3
