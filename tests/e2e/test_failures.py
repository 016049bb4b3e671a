"""What a build says when it fails, and what it keeps: by the command line, with a real executor.

A test marked `provokes(category)` makes a failure of that category come about by what it really comes from. Tools
that are not here (Vivado, its licences) are stood in for by the entry `recorded-tool`: it prints a real message.
"""

import json
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
from bskernel_protocol import FailureCategory
from support.builds import result_of, statuses, write
from support.paths import BSKERNEL

HERE = Path(__file__).parent
BUILD = """
[build]
name = "b"
model = "number.txt"
[target]
target_fps = {fps}
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
[[step]]
entry = "testing:measure"
[[step]]
name = "later"
entry = "testing:double"
[[step]]
entry = "testing:collect"
"""
MISBEHAVE = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:misbehave"
parameters = {{ how = "{how}" }}
{more}
[[step]]
entry = "testing:collect"
"""
TOOL = """
[build]
name = "b"
model = "number.txt"
[target]
part = "xc7z020clg400-1"
clock_ns = 4.0
[[step]]
entry = "testing:recorded-tool"
inputs = {{ log = "{log}" }}
{more}
"""


def failure_of(cli: Any, folder: Path, text: str, *, number: str = "5", code: int = 3) -> Any:
    """The failure of a build; it is shown, and lies in the build directory, as result.json has it."""
    done = cli("run", write(folder, text, number=number))
    assert done.returncode == code, done.stdout + done.stderr
    failure = result_of(folder / "build" / "b")["failure"]
    written = (folder / "build" / "b" / "failure.txt").read_text()
    for said in (failure["message"], failure["hint"] or "", *failure["cause"]):
        assert said in done.stdout
        assert said in written
    return failure


@pytest.mark.provokes("unknown")
def test_an_entry_that_declares_nothing_and_an_exception_that_no_rule_knows_is_unknown(
    cli: Any, tmp_path: Path
) -> None:
    failure = failure_of(cli, tmp_path, BUILD.format(fps=1), number="many")
    assert failure["category"] == "unknown"
    assert failure["message"] == "double: ValueError: invalid literal for int() with base 10: 'many'"
    assert failure["facts"] == {"decided_by": "entry", "exception": "ValueError"}


@pytest.mark.in_both
@pytest.mark.provokes("crash")
def test_a_crash_is_told_by_its_signal_with_the_command_to_see_it_again(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="die", more="memory_mib = 4096"))
    assert failure["category"] == "crash"
    assert "ended with signal 11 (SIGSEGV) before step misbehave wrote a result" in failure["message"]
    assert failure["cause"][0].startswith("about to do wrong")
    assert failure["facts"]["signal"] == "SIGSEGV"
    assert failure["facts"]["exit_status"] == -11
    assert failure["facts"]["limit_mib"] == 4096
    commands = result_of(tmp_path / "build" / "b")["commands"]
    assert f"bskernel replay {tmp_path}/build/b misbehave" in commands


def test_the_command_that_goes_on_after_a_failure_is_the_one_that_was_given(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD.format(fps=1), number="many")
    out, number = str(tmp_path / "two words"), "parameters.testing.number=2"
    given = ["--to", "measure", "--set", number, "--output", out, "--runtime", "process"]
    assert cli("run", config, *given).returncode == 3
    commands = result_of(Path(out))["commands"]
    assert shlex.split(commands[-1]) == ["bskernel", "run", config, *given]
    (tmp_path / "number.txt").write_text("3")
    assert cli(*shlex.split(commands[-1])[1:]).returncode == 0
    assert list(statuses(Path(out))) == ["double", "add", "measure"]


def test_a_failure_holds_no_path_of_the_step_s_own_folder(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="read-missing", more=""))
    assert failure["message"].endswith("FileNotFoundError: [Errno 2] No such file or directory: 'work/gone.txt'")
    assert "sessions" not in " ".join(failure["cause"])


def test_a_library_that_ends_the_program_is_no_crash(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="exit", more=""))
    assert failure["category"] == "transform"
    assert failure["message"] == "misbehave: SystemExit: the library has had enough"


@pytest.mark.in_both
@pytest.mark.provokes("timeout")
def test_a_time_out_says_the_limit_the_key_and_how_far_the_step_was(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="hang", more="timeout_s = 0.5"))
    assert failure["category"] == "timeout"
    assert (
        failure["message"] == "step misbehave exceeded its time limit of 0.5 s; its last message was: layer 3 of 10"
    )
    assert "[step.misbehave] timeout_s = ..., now 0.5" in failure["hint"]
    assert failure["facts"] == {"decided_by": "runtime", "last_progress": "layer 3 of 10", "limit_s": 0.5}


@pytest.mark.in_both
@pytest.mark.provokes("out_of_memory")
def test_a_step_that_needs_more_memory_than_it_may_have_says_how_much(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="memory", more="memory_mib = 512"))
    assert failure["category"] == "out_of_memory"
    assert "MemoryError: the step needs more memory than its limit of 512 MiB; it held" in failure["message"]
    assert failure["hint"] == "raise memory_mib of step misbehave"
    assert failure["facts"]["limit_mib"] == 512
    assert 0 < failure["facts"]["peak_mib"] < 512


@pytest.mark.container
@pytest.mark.parametrize("runtime", ["docker"], indirect=True)
def test_processes_that_need_too_much_together_are_ended_by_the_container_s_limit(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="memory-together", more="memory_mib = 512"))
    assert failure["category"] == "out_of_memory"
    assert "needs more memory than its limit of 512 MiB" in failure["message"]
    assert failure["facts"]["oom_kills"] >= 1
    assert "[step.misbehave] memory_mib" in failure["hint"]


@pytest.mark.provokes("executor")
def test_an_executor_that_breaks_its_word_is_a_defect_of_the_executor(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, MISBEHAVE.format(how="undeclared", more=""))
    assert failure["category"] == "executor"
    assert "'more', which its entry does not declare" in failure["message"]


@pytest.mark.provokes("environment")
def test_an_executor_whose_environment_cannot_be_made_fails_its_step_and_keeps_those_before(
    cli: Any, tmp_path: Path, root: Path, cache: Path, surroundings: dict[str, str]
) -> None:
    config = write(tmp_path, BUILD.format(fps=1), number=2)
    assert cli("run", config, "--to", "double").returncode == 0
    # The same sources and catalogue, so that `double` is recalled, but nothing to run the rest in.
    (cache / "envs").unlink()
    surroundings |= {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "nothing"), "UV_PYTHON_DOWNLOADS": "never"}
    done = cli("run", config)
    assert done.returncode == 4, done.stdout + done.stderr
    result = result_of(tmp_path / "build" / "b")
    assert [step["status"] for step in result["steps"][:3]] == ["recalled", "failed", "skipped"]
    assert result["failure"]["category"] == "environment"
    assert "uv pip sync failed" in result["failure"]["message"]
    assert "a package index" in result["failure"]["hint"]


MESSAGES = [
    pytest.param(
        "licence",
        "ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis' and/or device 'xczu7ev'.\n"
        "ERROR: [Common 17-39] 'synth_design' failed due to earlier errors.",
        ["no licence for Synthesis on xczu7ev", "XILINXD_LICENSE_FILE"],
        marks=pytest.mark.provokes("licence"),
    ),
    pytest.param(
        "resource",
        "Phase 1 Placer Initialization\n"
        "ERROR: [Place 30-640] Place Check : This design requires more RAMB36 cells than are available.\n"
        "ERROR: [Common 17-39] 'place_design' failed due to earlier errors.",
        ["does not fit xc7z020clg400-1", "target.target_fps"],
        marks=pytest.mark.provokes("resource"),
    ),
    (
        "timing",
        "CRITICAL WARNING: [Timing 38-282] The design failed to meet the timing requirements.",
        ["a clock period of 4.0 ns", "target.clock_ns"],
    ),
    ("synthesis", "ERROR: [HLS 200-70] Compilation errors found: In file included from top.cpp:1:", ["Vitis HLS"]),
    ("crash", "# An unexpected error has occurred (11)\n# Stack: hs_err_pid17.log", ["died of signal 11"]),
    ("out_of_memory", "c++: fatal error: Killed signal\ncc1plus: out of memory allocating 64 bytes", ["memory_mib"]),
]


@pytest.mark.parametrize(("category", "log", "needles"), MESSAGES)
def test_what_a_tool_printed_decides_by_its_ids(
    cli: Any, tmp_path: Path, category: str, log: str, needles: list[str]
) -> None:
    (tmp_path / "tool.log").write_text(log)
    failure = failure_of(cli, tmp_path, TOOL.format(log="tool.log", more=""))
    assert failure["category"] == category
    assert failure["facts"]["decided_by"] == "message"
    first = next(line for line in log.splitlines() if "[" in line or "error has" in line or "out of memory" in line)
    assert failure["cause"][0] == first
    assert not any("17-39" in line for line in failure["cause"])
    for needle in needles:
        assert needle in failure["hint"]


def test_a_real_log_whose_timing_failed_is_told_as_timing(cli: Any, tmp_path: Path) -> None:
    log = HERE.parent / "executors" / "reports" / "timing_failed_excerpt.vdi"
    failure = failure_of(cli, tmp_path, TOOL.format(log=log, more=""))
    assert failure["category"] == "timing"
    assert "Timing 38-282" in failure["facts"]["message_ids"]


def test_what_was_made_before_a_failure_is_kept_and_measured(cli: Any, tmp_path: Path) -> None:
    failure = failure_of(cli, tmp_path, BUILD.format(fps=3))
    assert failure["category"] == "verification"
    result = result_of(tmp_path / "build" / "b")
    assert [step["status"] for step in result["steps"]] == ["ran", "ran", "failed", "skipped", "ran"]
    assert result["status"] == "failed"
    assert result["failed_step"] == "measure"
    assert result["metrics"] == {"model": 13}
    assert result["partial"] == {
        "collect": [
            "model is that of add: later did not produce it",
            "measured is missing: measure did not produce it",
        ]
    }
    folder = tmp_path / "build" / "b"
    assert (folder / "artifacts" / "model").read_text() == "13"
    assert json.loads((folder / "metrics.json").read_text()) == {"format": 1, "model": 13}
    assert "partial: collect: measured is missing" in (folder / "failure.txt").read_text()


def test_a_build_that_succeeds_afterwards_leaves_no_trace_of_the_failure(cli: Any, tmp_path: Path) -> None:
    failure_of(cli, tmp_path, BUILD.format(fps=3))
    assert cli("run", write(tmp_path, BUILD.format(fps=3), number=1)).returncode == 0
    result = result_of(tmp_path / "build" / "b")
    assert (result["status"], result["failure"], result["partial"], result["commands"]) == ("ok", None, {}, [])
    assert result["metrics"] == {"measured": 5, "model": 10}
    assert not (tmp_path / "build" / "b" / "failure.txt").exists()


def test_a_step_for_afterwards_is_skipped_when_nothing_it_needs_was_made(cli: Any, tmp_path: Path) -> None:
    failure_of(cli, tmp_path, BUILD.format(fps=1), number="many")
    assert [step["status"] for step in result_of(tmp_path / "build" / "b")["steps"]] == ["failed", *["skipped"] * 4]


@pytest.mark.in_both
@pytest.mark.provokes("interrupted")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_keeps_what_is_finished_and_runs_nothing_more(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], signum: signal.Signals
) -> None:
    config = write(tmp_path, MISBEHAVE.format(how="hang", more=""))
    kernel = subprocess.Popen(
        [BSKERNEL, "run", "--verbose", config],
        env=surroundings,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # as where nothing ignores it
    )
    assert kernel.stderr is not None
    assert any("about to do wrong" in line for line in iter(kernel.stderr.readline, ""))
    kernel.send_signal(signum)
    out, err = kernel.communicate(timeout=30)
    assert kernel.returncode == 130
    assert "every process of the build has ended" in err
    result = result_of(tmp_path / "build" / "b")
    assert result["status"] == "interrupted"
    assert [step["status"] for step in result["steps"]] == ["ran", "interrupted", "skipped"]
    assert result["failure"]["category"] == "interrupted"
    assert result["failure"]["message"] == f"{signum.name} interrupted the build while step misbehave was running"
    assert result["failure"]["message"] in out
    assert (tmp_path / "build" / "b" / "artifacts" / "model").read_text() == "10"
    log = (tmp_path / "build" / "b" / "steps" / "01-misbehave" / "log.jsonl").read_text()
    assert "about to do wrong" in log
    assert cli("run", config, "--to", "double").returncode == 0
    assert [step["status"] for step in result_of(tmp_path / "build" / "b")["steps"]] == ["recalled"]


def test_every_category_is_provoked_by_a_test() -> None:
    texts = [path.read_text() for path in HERE.glob("test_*.py")]
    missing = [name for name in get_args(FailureCategory) if not any(f'provokes("{name}")' in text for text in texts)]
    assert missing == []
