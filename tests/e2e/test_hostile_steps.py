"""What a step leaves in its folder harms nobody: neither the kernel nor the cache nor the next build."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write

CLIENT = "import msgspec, os, pathlib, socket, sys\nfrom bskernel_protocol import *\n"
RESULT = (
    "def result(record=None, failure=None, name=None):\n"
    "    value = {'type': 'step-result', 'protocol': PROTOCOL_VERSION, 'step': name or step.name,\n"
    "             'outputs': [], 'record': record or {}, 'failure': failure}\n"
    "    (step.directory / 'result.msgpack').write_bytes(msgspec.msgpack.encode(value))\n"
    "    end()\n"
)


def build_file(folder: Path, code: str, name: str = "b") -> str:
    text = json.dumps(CLIENT + RESULT + code)  # JSON's escapes are TOML's too
    return write(
        folder,
        f'build = {{ name = "{name}", model = "number.txt" }}\n',
        f'[[step]]\nentry = "testing:act"\nparameters = {{ code = {text} }}\n',
    )


Act = Callable[[str], Any]


@pytest.fixture
def act(cli: Any, tmp_path: Path) -> Act:
    """Build with a step that runs the code, twice, and return how it failed. What failed is not remembered."""

    def run(code: str) -> Any:
        failures = []
        for _ in range(2):
            done = cli("run", build_file(tmp_path, code))
            shown = done.stdout + done.stderr
            assert done.returncode == 3, shown
            assert "Traceback" not in shown
            assert "\x1b" not in shown
            failures.append(result_of(tmp_path / "build" / "b")["failure"])
        assert failures[0]["message"] == failures[1]["message"]
        return failures[1]

    return run


FILES = {
    "link": "{f}.unlink(missing_ok=True); {f}.symlink_to('/etc/passwd')",
    "dangling link": "{f}.unlink(missing_ok=True); {f}.symlink_to('/nowhere')",
    "FIFO": "{f}.unlink(missing_ok=True); os.mkfifo({f})",
    "folder": "{f}.unlink(missing_ok=True); {f}.mkdir()",
    "socket": "{f}.unlink(missing_ok=True); os.chdir({f}.parent); socket.socket(socket.AF_UNIX).bind({f}.name)",
    "sparse": "os.truncate(os.open({f}, os.O_CREAT | os.O_WRONLY), 1 << 42)",
    "unreadable": "{f}.touch(); {f}.chmod(0)",
}


@pytest.mark.in_both
def test_a_link_in_place_of_the_log_gives_nothing_of_the_host(cli: Any, tmp_path: Path, cache: Path) -> None:
    line = "a line of the host alone"
    (tmp_path / "host").write_text(f"{line}\n")
    code = f"log = step.directory / 'log.jsonl'\nlog.unlink()\nlog.symlink_to({str(tmp_path / 'host')!r})\n"
    done = cli("run", build_file(tmp_path, f"{code}(out / 'model').write_text('1')"))
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "build" / "b" / "steps").glob("*/log.jsonl")
    assert "log.jsonl is a link, not a plain file" in log.read_text()
    held = [path for folder in (tmp_path / "build", cache / "blobs") for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in held if line.encode() in path.read_bytes()]


@pytest.mark.in_both
@pytest.mark.parametrize("kind", ["FIFO", "link"])
def test_a_result_that_is_no_plain_file_is_a_failure(act: Act, kind: str) -> None:
    failure = act(f"f = step.directory / 'result.msgpack'\n{FILES[kind].format(f='f')}\nend()")
    assert failure["category"] == "executor"
    assert failure["message"] == f"step act: result.msgpack is a {kind}, not a plain file"


@pytest.mark.parametrize("kind", ["folder", "socket", "sparse", "dangling link"])
def test_anything_else_in_place_of_the_result_is_named(act: Act, kind: str) -> None:
    failure = act(f"f = step.directory / 'result.msgpack'\n{FILES[kind].format(f='f')}\nend()")
    assert failure["category"] == "executor"
    assert failure["message"].startswith("step act: result.msgpack ")


@pytest.mark.parametrize("kind", ["FIFO", "folder", "socket", "dangling link", "sparse"])
def test_anything_in_place_of_the_log_costs_the_log_alone(cli: Any, tmp_path: Path, kind: str) -> None:
    code = f"f = step.directory / 'log.jsonl'\n{FILES[kind].format(f='f')}\n(out / 'model').write_text('1')"
    done = cli("run", build_file(tmp_path, code))
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "build" / "b" / "steps").glob("*/log.jsonl")
    assert json.loads(log.read_text())["text"].startswith("no log: log.jsonl ")


@pytest.mark.parametrize("kind", ["FIFO", "link", "folder"])
def test_a_server_outlives_what_stands_in_place_of_its_own_files(act: Act, kind: str) -> None:
    """It refines the result of a failed step with its log, through a temporary file."""
    spoil = "".join(
        f"f = step.directory / {name!r}\n{FILES[kind].format(f='f')}\n"
        for name in (".result.msgpack", "manifest.msgpack")
    )
    failed = "{'type': 'failure', 'category': 'unknown', 'message': 'no', 'facts': {'decided_by': []}}"
    failure = act(f"{spoil}result(failure={failed})")
    assert failure["message"] == "no"


TREES = {
    "a FIFO": ("os.mkfifo(tree / 'f')", "output tree/f is a FIFO, not a plain file"),
    "a socket": (
        "os.chdir(tree)\nsocket.socket(socket.AF_UNIX).bind('s')",
        "output tree/s is a socket, not a plain file",
    ),
    "a link out": ("(tree / 'l').symlink_to('../../manifest.msgpack')", "links to ../../manifest.msgpack, outside"),
    "an absolute link": ("(tree / 'l').symlink_to('/etc/passwd')", "output tree/l links to /etc/passwd, outside"),
    "a link through a link": (
        "(tree / 'd').symlink_to('.')\n(tree / 'l').symlink_to('d/d/../../model')",
        "output tree/d is a link that does not point to a file",
    ),
    "a loop of links": ("(tree / 'l').symlink_to('l')", "leads through more than 40 links"),
    "a set-user-id bit": ("(tree / 'p').touch()\n(tree / 'p').chmod(0o4755)", "tree/p has the set-user-id bit set"),
    "a sticky folder": ("(tree / 'p').mkdir()\n(tree / 'p').chmod(0o1777)", "tree/p has the sticky bit set"),
    "a name that is no UTF-8": ("open(os.fsencode(tree) + b'/\\xff\\n\\x1b', 'w')", "tree/\\xff\\n\\x1b has a name"),
    "a backslash": ("(tree / 'a\\\\b').touch()", "not a relative path inside its tree"),
    "terabytes of nothing": ("os.truncate(os.open(tree / 'h', 65), 1 << 42)", "tree has more than 64 GiB, at h"),
    "gibibytes of holes": ("os.truncate(os.open(tree / 'h', 65), 1 << 34)", "tree has 16 GiB of holes in sparse"),
    "depth": (
        "os.chdir(tree)\nfor _ in range(100): os.mkdir('d' * 255); os.chdir('d' * 255)",
        "tree has a path of more than 1024 bytes: ddddd",
    ),
    "more depth": (
        "os.chdir(tree)\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')",
        "tree nests folders more than 64 deep",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TREES)
def test_an_output_that_cannot_be_an_artifact_is_refused_by_name(act: Act, kind: str) -> None:
    code, message = TREES[kind]
    failure = act(f"tree = out / 'tree'\ntree.mkdir()\n{code}\nresult()")
    assert failure["category"] == "executor"
    assert message in failure["message"]
    assert failure["message"].isprintable()


@pytest.mark.in_both
def test_what_the_sdk_finds_of_it_is_a_failure_too(act: Act) -> None:
    failure = act("(out / 'tree').mkdir()\nos.mkfifo(out / 'tree' / 'a\\n')")
    assert failure["message"] == "out/tree/a\\n is a FIFO, not a plain file"


RECORDS = {
    "NaN": ("result({'a': [float('nan')]})", "record.a[0] is nan, which JSON has no number for"),
    "infinity": ("result({'a': {'b': float('-inf')}})", "record.a.b is -inf"),
    "bytes": ("result({'a': b'x'})", "record.a is of the type bytes"),
    "a key that is no text": ("result({'a': {1: 2}})", "record.a has the key 1, which is no text"),
    "a key with escapes": ("result({'\\x1b[2J': float('nan')})", "record.\\x1b[2J is nan"),
    "nesting": ("value = []\nfor _ in range(100): value = [value]\nresult({'a': value})", "nests more than 32 deep"),
    "a summary of another shape": ("result({'summary': {'label': 'x'}})", "record.summary is not a list of rows"),
    "a row of another shape": ("result({'summary': [['a', 1]]})", "record.summary[0] is not a row"),
    "a row without a value": ("result({'summary': [{'label': 'a'}]})", "record.summary[0] is not a row"),
    "a table of another shape": (
        "result({'tables': [{'title': 'a', 'columns': [1], 'rows': []}]})",
        "record.tables[0]",
    ),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_that_cannot_be_kept_is_the_executor_s_failure(act: Act, kind: str) -> None:
    code, message = RECORDS[kind]
    failure = act(code)
    assert failure["category"] == "executor"
    assert message in failure["message"]


METRICS = {
    "no JSON": "b'{'",
    "no text": "b'\\xff'",
    "no object": "b'[1]'",
    "NaN": "b'{\"a\": NaN}'",
    "nesting": "b'[' * 100_000",
    "an object that nests": "b'{\"a\":' * 100 + b'1' + b'}' * 100",
    "a folder": None,
}


@pytest.mark.parametrize("kind", METRICS)
def test_numbers_that_cannot_be_read_are_the_executor_s_failure(act: Act, kind: str) -> None:
    data = METRICS[kind]
    failure = act(f"(out / 'metrics').write_bytes({data})" if data else "(out / 'metrics').mkdir()")
    assert failure["category"] == "executor"
    assert "metrics" in failure["message"]


def test_a_result_that_nests_beyond_python_s_stack_is_unreadable(act: Act) -> None:
    nested = "b'\\x91' * 100_000 + b'\\x01'"
    head = "msgspec.msgpack.encode({'type': 'step-result', 'protocol': PROTOCOL_VERSION, 'step': step.name})"
    code = f"data = {head}\ndata = bytes([data[0] + 1]) + data[1:] + msgspec.msgpack.encode('record')\n"
    code += f"(step.directory / 'result.msgpack').write_bytes(data + b'\\x81\\xa1a' + {nested})\nend()"
    assert "wrote an unreadable result" in act(code)["message"]


def test_a_failure_that_cannot_be_written_is_cut_to_what_can(act: Act) -> None:
    said = "{'type': 'failure', 'category': 'kernel', 'message': 'm' * 100_000, 'cause': ['c'] * 5000, "
    failure = act(f"result(failure={said} 'log': '/etc/passwd', 'facts': {{'a': float('nan')}}}})")
    assert failure["category"] == "kernel"
    assert len(failure["message"]) < 5000
    assert failure["cause"][-1] == "(4901 more lines, left out)"
    assert failure["facts"] == {"left_out": "facts.a is nan, which JSON has no number for"}
    assert failure["log"].endswith("log.jsonl")


def test_a_step_that_takes_its_folder_away_fails_alone(act: Act) -> None:
    failure = act("import shutil\nshutil.rmtree(out)\nresult()")
    assert failure["message"] == "step act removed its folder out/"


@pytest.mark.in_both
def test_what_is_too_deep_for_a_path_is_removed_with_the_session(cli: Any, tmp_path: Path, cache: Path) -> None:
    dig = "os.chdir(step.work)\nfor _ in range(1100): os.mkdir('d' * 255); os.chdir('d' * 255)\nos.chmod('..', 0)\n"
    for name in ("a", "b"):
        done = cli("run", build_file(tmp_path, f"{dig}(out / 'model').write_text('{name}')", name))
        assert done.returncode == 0, done.stdout + done.stderr
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.in_both
def test_a_log_without_end_is_cut_in_its_middle(cli: Any, tmp_path: Path) -> None:
    code = "print('first')\nfor _ in range(6): print(('x' * 1000 + '\\n') * 10_000)\nprint('last')\n"
    done = cli("run", build_file(tmp_path, f"{code}(out / 'model').write_text('1')"))
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "build" / "b" / "steps").glob("*/log.jsonl")
    assert log.stat().st_size <= 32 << 20
    lines = [json.loads(line)["text"] for line in log.read_bytes().splitlines()]
    assert lines[1] == "first"
    assert lines[-1] == "last"
    assert [line for line in lines if line.endswith("left out here: the log is too long)")]


def test_what_a_step_writes_into_its_log_itself_is_kept_as_lines_of_json(cli: Any, tmp_path: Path) -> None:
    code = "(step.directory / 'log.jsonl').open('ab').write(b'\\n\\x1b[2J\\xff\\n[1]\\n' + b'[' * 9999 + b'\\n')\n"
    done = cli("run", build_file(tmp_path, f"{code}(out / 'model').write_text('1')"))
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "build" / "b" / "steps").glob("*/log.jsonl")
    assert {"\x1b[2J\ufffd", "[1]", "[" * 9999} <= {json.loads(line)["text"] for line in log.read_text().splitlines()}
    assert "\x1b" not in log.read_text()


@pytest.mark.parametrize("arguments", [(), ("--verbose",)])
def test_no_escape_of_a_step_reaches_a_terminal_or_a_text_file(
    cli: Any, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eabc\u2069\rok\x7f"
    code = f"evil = {evil!r}\nprint(evil)\nstep.progress(evil)\n"
    code += "row = {'label': evil, 'value': evil, 'note': evil}\n"
    shown = "result({'summary': [row], 'tables': [{'title': evil, 'columns': [evil], 'rows': [[evil]]}]})"
    failed = (
        "result(failure={'type': 'failure', 'category': 'kernel', 'message': evil, 'cause': [evil], 'hint': evil})"
    )
    for end, exit_code in ((shown, 0), (failed, 3)):
        done = cli("run", *arguments, build_file(tmp_path, code + end))
        assert done.returncode == exit_code, done.stdout + done.stderr
        texts = [done.stdout, done.stderr, cli("explain", "build/b", "act").stdout]
        texts += [
            path.read_bytes().decode()
            for path in (tmp_path / "build" / "b").rglob("*")
            if path.is_file() and path.suffix in {".txt", ".json", ".jsonl"}
        ]
        for text in texts:
            assert not set(text) & set(evil) - set("0;titleabc[]2J31mok"), text
    assert "\\x1b]0;title" in (tmp_path / "build" / "b" / "failure.txt").read_text()
    assert result_of(tmp_path / "build" / "b")["failure"]["message"] == evil


def test_a_replay_shows_what_a_step_prints_with_escapes_in_a_folder_that_is_nobody_else_s(
    cli: Any, tmp_path: Path
) -> None:
    code = "print('\\x1b[2J\\x9b31m', end='')\n(out / 'model').write_text('1')"
    assert cli("run", build_file(tmp_path, code)).returncode == 0
    done = cli("replay", "build/b", "act", "--into", "again")
    assert done.returncode == 0, done.stderr
    assert "\\x1b[2J\\x9b31m" in done.stdout
    assert not set(done.stdout + done.stderr) & {"\x1b", "\x9b"}
    assert stat.S_IMODE(next((tmp_path / "again").iterdir()).stat().st_mode) == 0o700


@pytest.mark.in_both
def test_nobody_else_can_read_or_write_what_a_session_and_its_steps_leave(
    cli: Any, tmp_path: Path, cache: Path
) -> None:
    look = "modes = {}\nfor folder, _, names in os.walk(step.directory):\n"
    look += "    paths = [folder, *(os.path.join(folder, name) for name in names)]\n"
    look += "    modes |= {path: os.stat(path).st_mode & 0o077 for path in paths}\n"
    look += "(out / 'tree').mkdir()\n(out / 'tree' / 'run').touch(mode=0o777)\n"
    look += "(out / 'model').write_text(str(max(modes.values())))"
    before = os.umask(0)
    try:
        done = cli("run", build_file(tmp_path, look))
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    for folder in (cache / "blobs", cache / "actions", cache / "incoming", tmp_path / "build"):
        for path in (folder, *folder.rglob("*")):
            assert not path.lstat().st_mode & 0o022 or path.is_symlink(), path
    assert stat.S_IMODE((tmp_path / "build" / "b" / "artifacts" / "tree" / "run").stat().st_mode) == 0o755
