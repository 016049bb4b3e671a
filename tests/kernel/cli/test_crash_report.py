"""A defect of bskernel ends a command with one line, a report without secrets, and the exit code 70."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import BSKERNEL, ROOT

PYTHON = sys.executable
SECRET = "hunter2hunter2"  # noqa: S105 - of nobody
VALUE = "t0psecret-t0psecret"
# A program whose command fails as a test says; everything else is real.
PROGRAM = """
import sys, threading, gc
import bskernel.cli.group as group
from bskernel.cli import program
sys.argv = ["bskernel", "run", "--set", "store.options.secret={secret}", "plain"]
def cli(**_):
{body}
group.cli = cli
program()
"""


def crash(tmp_path: Path, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that does what `body` says."""
    text = PROGRAM.format(secret=SECRET, body="\n".join(f"    {line}" for line in body.splitlines()))
    named = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"} | variables
    return subprocess.run([PYTHON, "-c", text], env=named, capture_output=True, text=True, cwd=tmp_path, timeout=120)


def report_of(done: subprocess.CompletedProcess[str]) -> Path:
    """The report that the last line names."""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: bskernel failed unexpectedly: ")
    return Path(line.rpartition("please report it with ")[2])


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("raise KeyError('gone')", "KeyError: 'gone'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise FileNotFoundError(2, 'No such file', '/usr/lib/of-bskernel')", "FileNotFoundError"),
        ("raise ValueError('two\\nlines \\x1b[31m')", "ValueError: two lines ?[31m"),
        ("assert False", "AssertionError"),
        ("raise ExceptionGroup('several', [KeyError(1)])", "ExceptionGroup: several"),
    ],
)
def test_what_is_unforeseen_is_one_line_and_a_report(tmp_path: Path, body: str, names: str) -> None:
    done = crash(tmp_path, body)
    assert done.returncode == 70
    assert names in done.stderr
    report = report_of(done)
    assert report.parent == tmp_path / "home" / ".local" / "state" / "bskernel" / "crashes"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert "Traceback (most recent call last)" in text
    assert "versions: bskernel" in text
    assert "plain" in text


def test_a_report_holds_no_secret_of_the_command_line_or_the_environment(tmp_path: Path) -> None:
    body = "import os\nraise ValueError(os.environ['MY_TOKEN'], os.environ['PLAIN'])"
    done = crash(tmp_path, body, PLAIN="https://me:pass1234@host/x", MY_TOKEN=VALUE)
    text = report_of(done).read_text() + done.stderr
    for secret in (SECRET, VALUE, "pass1234"):
        assert secret not in text


def test_a_report_lies_where_a_folder_takes_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside = str(tmp_path / "file" / "home")
    cache = tmp_path / "cache"
    state = tmp_path / "state"
    for variables, folder in (
        ({"XDG_STATE_HOME": str(state)}, state / "bskernel" / "crashes"),
        ({"HOME": inside, "BSKERNEL_CACHE": str(cache)}, cache / "crashes"),
        ({"HOME": inside, "BSKERNEL_CACHE": inside}, tmp_path),
    ):
        report = report_of(crash(tmp_path, "1 / 0", **variables))
        assert report.is_relative_to(folder)
        assert "ZeroDivisionError" in report.read_text()
    done = crash(tmp_path, "1 / 0", HOME=inside, TMPDIR=inside)
    assert done.returncode == 70
    assert done.stderr == (
        "error: bskernel failed unexpectedly: ZeroDivisionError: division by zero; no folder takes a report of it\n"
    )


def test_a_folder_keeps_the_newest_reports_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".local" / "state" / "bskernel" / "crashes"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"2020-01-01T00-00-{number:02d}-abc.txt").write_text("")
    report = report_of(crash(tmp_path, "1 / 0"))
    left = sorted(folder.iterdir())
    assert len(left) == 20
    assert left[-1] == report


def test_a_defect_in_a_thread_or_in_a_finalizer_is_reported_too(tmp_path: Path) -> None:
    thread = "thread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()"
    final = "class Final:\n    def __del__(self): 1 / 0\nx = Final()\ndel x"
    for body in (thread, final):
        done = crash(tmp_path, body)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        (line,) = done.stderr.splitlines()
        assert "ZeroDivisionError" in Path(line.rpartition("report it with ")[2]).read_text()


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("raise KeyboardInterrupt('SIGTERM')", 130, "interrupted"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", 130, "interrupted"),
        ("raise MemoryError", 4, "not enough memory"),
        ("held = 'x' * (1 << 60)", 4, "not enough memory"),
        ('raise RuntimeError("can\'t start new thread")', 4, "processes and threads"),
        ("raise OSError(28, 'No space left on device', '/tmp/x')", 4, "is full"),
        ("raise OSError(28, 'No space left on device')", 4, "is full"),
        ("raise OSError(24, 'Too many open files', '/x')", 4, "ulimit -n"),
        ("raise BlockingIOError(11, 'Resource temporarily unavailable')", 4, "ulimit -u"),
        ("raise ImportError('msgspec.so: failed to map segment from shared object')", 4, "not enough memory"),
        ("import click\nraise click.Abort", 130, "interrupted"),
    ],
)
def test_what_the_machine_or_the_user_ends_is_no_defect(tmp_path: Path, body: str, code: int, says: str) -> None:
    done = crash(tmp_path, body)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_modules_in_python_path_do_not_take_the_place_of_libraries(tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    for name in ("click", "msgspec", "typing", "threading", "signal", "tomllib", "re", "json", "pathlib", "rich"):
        (shadow / f"{name}.py").write_text("raise SystemExit('a module of the user')")
    program = BSKERNEL
    for command in (["--help"], ["steps"], ["schema", "config"]):
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": f"{shadow}:relative:"}
        done = subprocess.run([program, *command], env=variables, capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_checkout_that_python_path_names_is_still_found(tmp_path: Path) -> None:
    program = BSKERNEL
    named = os.pathsep.join(str(ROOT / name) for name in ("executors", "kernel", "protocol"))
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": named}
    for command in (["--help"], ["steps"], ["schema", "config"]):
        done = subprocess.run([program, *command], env=variables, capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
