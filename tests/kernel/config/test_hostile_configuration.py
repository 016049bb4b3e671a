"""Whatever a configuration holds, loading and planning it gives the declared error, which names file and key."""

import contextlib
import datetime as dt
import math
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from bskernel.config.assignments import ConfigText, with_assignment
from bskernel.config.reader import read_toml
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.flow.loader import check_config, load_config
from bskernel.flow.selection import RangeRequest
from bskernel.result.diff import read_build, read_gates
from bskernel.sweeps.execution.preparation import PreparedSweep, prepare_sweep
from bskernel.sweeps.results.sweep_file import read_sweep
from bskernel.workspace.workspace import Workspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VALID = """
[build]
name = "b"
model = "number.txt"
salt = "s"
[target]
clock_ns = 5.0
target_fps = 100
[limits]
jobs = 2
[executors]
testing = "1"
[parameters.testing]
number = 3
[[step]]
name = "first"
entry = "testing:add"
timeout_s = 3.5
memory_mib = 400
when = "target.clock_ns < 9"
parameters = { number = 2 }
[[step]]
entry = "testing:double"
inputs = { model = "first.model" }
[sweep]
require = "LUT < 5"
maximize = "throughput"
[sweep.grid]
"target.target_fps" = [1, 2]
"target.clock_ns" = { from = 1, to = 2, step = 0.5 }
[store]
mode = "read-only"
"""
TABLES = read_toml(Path(__file__).parents[3] / "examples" / "digits" / "build.toml")
WEIRD = st.one_of(
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, 0, -1, 2**63, -(2**63), 10**400, 1e308, 5e-324, True]),
    st.integers(),
    st.text(max_size=20),
    st.sampled_from(["", "x" * 300, "\0", "a\0b", "\x1b[2J", "../" * 50, ".", "..", "/", "a/b", "~", "number.txt/x"]),
    st.sampled_from(
        ["x" * 5000, "\ud800", "first.model", "testing:add", "nan", "inf", "1 <", "a < b < c", "(" * 3000]
    ),
    st.dates(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.times(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)
KEYS = st.one_of(
    st.sampled_from(["build", "name", "model", "step", "grid", "from", "to", "count", ""]), st.text(max_size=9)
)
VALUES = st.recursive(WEIRD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    found = [at] if at else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*at, key))
    return found


def replaced(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a path."""
    if not at:
        return value
    changed = dict(data) if isinstance(data, dict) else list(data)
    changed[at[0]] = replaced(data[at[0]], at[1:], value)
    return changed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, root: Path, environments: Path) -> tuple[Workspace, Path]:
    """A workspace, and a folder with a build.toml and its model."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "number.txt").write_text("5")
    (folder / "build.toml").write_text(VALID)
    return Workspace(root, environments), folder / "build.toml"


def plan(workspace: Workspace, text: ConfigText) -> None:
    """Check a configuration and plan its build and its sweep; only the declared errors come out."""
    with contextlib.suppress(BskernelError):
        workspace.prepare_loaded(check_config(text))


def test_the_document_that_is_changed_is_valid(project: tuple[Workspace, Path]) -> None:
    workspace, path = project
    workspace.prepare_loaded(load_config(path))
    prepare_sweep(workspace, path)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=600)
@given(data=st.data())
def test_any_value_at_any_key_gives_the_declared_error(project: tuple[Workspace, Path], data: st.DataObject) -> None:
    workspace, path = project
    whole = read_toml(path)
    at = data.draw(st.sampled_from(places(whole)))
    changed = replaced(whole, at, data.draw(VALUES))
    plan(workspace, ConfigText(path=path, data=changed))


@settings(max_examples=300)
@given(data=st.dictionaries(st.sampled_from([*TABLES, "build", "step", "sweep", "store", "x"]), VALUES, max_size=5))
def test_any_document_gives_the_declared_error(project: tuple[Workspace, Path], data: dict[str, Any]) -> None:
    workspace, path = project
    plan(workspace, ConfigText(path=path, data=data))


@settings(max_examples=300)
@given(data=st.binary(max_size=60), at=st.integers(0, len(VALID)), cut=st.integers(0, 30))
def test_any_bytes_give_the_declared_error(project: tuple[Workspace, Path], data: bytes, at: int, cut: int) -> None:
    workspace, path = project
    changed = path.with_name("changed.toml")
    changed.write_bytes(VALID.encode()[:at] + data + VALID.encode()[at + cut :])
    with contextlib.suppress(BskernelError):
        workspace.prepare(changed)


@settings(max_examples=300)
@given(key=st.text(max_size=20), text=st.one_of(st.text(max_size=30), VALUES.map(repr)))
def test_any_assignment_gives_the_declared_error(project: tuple[Workspace, Path], key: str, text: str) -> None:
    workspace, path = project
    for assignment in (f"{key}={text}", f"target.{key}={text}", f"step.first.timeout_s={text}", key):
        with contextlib.suppress(BskernelError):
            workspace.prepare(path, settings=[assignment])


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_in_a_sweep_gives_the_declared_error(project: tuple[Workspace, Path], data: st.DataObject) -> None:
    workspace, path = project
    span = st.fixed_dictionaries(
        {"from": WEIRD, "to": WEIRD}, optional={"step": WEIRD, "count": WEIRD, "log": st.booleans()}
    )
    key = data.draw(
        st.sampled_from(["target.target_fps", "target.clock_ns", "build.name", "step.first.timeout_s", "x"])
    )
    table = data.draw(st.sampled_from(["grid", "zip"]))
    values = data.draw(st.one_of(span, st.lists(VALUES, max_size=3)))
    whole = read_toml(path)
    whole["sweep"] = {table: {key: values}, "max_points": 50, "when": data.draw(st.one_of(WEIRD, st.just("1 < 2")))}
    with contextlib.suppress(BskernelError):
        PreparedSweep(workspace, ConfigText(path=path, data=whole), RangeRequest())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 3000 + "]" * 3000, "nest"),
        ("a = " + "{b = " * 900 + "1" + "}" * 900, "nest"),
        (f"a{'.b' * 3000} = 1\n{VALID}", "nest"),
        (f"{VALID}\n[parameters.testing.deep]\nx = {'[' * 60}{']' * 60}", "nest more than 50 deep"),
        (VALID.replace('salt = "s"', 'salt = "s\\u0000"'), "build.salt: the text has the control character U+0000"),
        (
            VALID.replace('name = "b"', 'output = "o\\u0000"'),
            "build.output: the text has the control character U+0000",
        ),
        (VALID.replace('name = "b"', 'output = "o\\u001b[2J"'), "control character U+001B"),
        (
            VALID.replace("number = 3", '"a\\u0000" = 3'),
            "parameters.testing.a\\u0000: the key has a control character",
        ),
        (VALID.replace("number = 3", "number = nan"), "parameters.testing.number: must be a finite number, not nan"),
        (
            VALID.replace("number = 3", "number = -inf"),
            "parameters.testing.number: must be a finite number, not -inf",
        ),
        (VALID.replace("number = 3", f"number = {10**40}"), "has 41 digits"),
        (VALID.replace("number = 3", f"number = {'9' * 5000}"), "not valid TOML"),
        (VALID.replace("3.5", "nan"), "timeout_s must be at most 100_000_000, not nan"),
        (VALID.replace("3.5", "inf"), "timeout_s must be at most 100_000_000, not inf"),
        (VALID.replace("3.5", "1e300"), "timeout_s must be at most 100_000_000"),
        (VALID.replace("3.5", "-1"), "timeout_s must be above 0"),
        (VALID.replace("memory_mib = 400", f"memory_mib = {2**50}"), "memory_mib must be at most"),
        (VALID.replace("clock_ns = 5.0", "clock_ns = nan"), "clock_ns"),
        (VALID.replace('"b"', f'"{"x" * 300}"'), "has 300 characters, and at most 200 are possible"),
        (VALID.replace('"first"', f'"{"x" * 300}"'), "has 300 characters, and at most 200 are possible"),
        (VALID.replace('"number.txt"', f'"{"x" * 300}"'), "build.model"),
        (VALID.replace('"number.txt"', f'"{"x/" * 3000}y"'), "build.model"),
        (VALID.replace('"b"', "2020-01-01"), "build.name"),
        (VALID.replace('salt = "s"', 'salt = "s"\nsalt = "t"'), "not valid TOML"),
        (VALID.replace('salt = "s"', "salt = 2020-99-99"), "not valid TOML"),
    ],
)
def test_an_error_names_the_file_and_the_key(project: tuple[Workspace, Path], text: str, says: str) -> None:
    workspace, path = project
    changed = path.with_name("changed.toml")
    changed.write_text(text)
    with pytest.raises(ConfigError) as raised:
        workspace.prepare(changed)
    assert says in raised.value.message
    assert str(changed) in raised.value.message
    assert raised.value.message.isprintable()
    assert len(raised.value.message) < 9000


def test_a_mark_of_windows_and_its_line_ends_are_read(project: tuple[Workspace, Path]) -> None:
    workspace, path = project
    changed = path.with_name("windows.toml")
    changed.write_bytes(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode())
    assert workspace.prepare(changed).loaded.config == workspace.prepare(path).loaded.config


def test_bytes_that_are_no_text_are_named_with_their_line(project: tuple[Workspace, Path]) -> None:
    changed = project[1].with_name("changed.toml")
    changed.write_bytes(b'[build]\nmodel = "\xff"\n')
    with pytest.raises(ConfigError, match="line 2 is not UTF-8: byte 0xff"):
        load_config(changed)


@pytest.mark.parametrize("reader", [read_toml, load_config, read_gates])
def test_what_is_no_file_is_named_without_waiting(tmp_path: Path, reader: Any) -> None:
    fifo, folder, server = tmp_path / "fifo", tmp_path / "folder", tmp_path / "socket"
    loop, large, none = tmp_path / "loop", tmp_path / "large", tmp_path / ("x" * 300)
    os.mkfifo(fifo)
    folder.mkdir()
    loop.symlink_to(loop)
    with large.open("wb") as file:
        file.truncate(1 << 30)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(server)) if len(str(server)) < 100 else server.mkdir()
        for path in (
            fifo,
            folder,
            server,
            loop,
            large,
            none,
            Path("/dev/zero"),
            Path("/dev/null"),
            tmp_path / "none",
        ):
            with pytest.raises(ConfigError) as raised:
                reader(path)
            assert path.name[:50] in raised.value.message


def test_files_that_a_build_names_are_read_within_limits(project: tuple[Workspace, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "net.onnx").write_bytes(b"")
    (tmp_path / "deep.json").write_text("[" * 5000 + "]" * 5000)
    (tmp_path / "number.txt").write_text("5")
    workspace, _ = project
    for given_file in ("fifo", "/dev/zero", "/dev/null", ".", "x" * 300, "deep.json"):
        for model in ("number.txt", given_file):
            (tmp_path / "build.toml").write_text(
                f'[build]\nname = "b"\nmodel = "{model}"\n[[step]]\nentry = "testing:read-network"\n'
                f'inputs = {{ settings = "{given_file}" }}\n'
            )
            with pytest.raises(ConfigError) as raised:
                workspace.prepare(tmp_path / "build.toml")
            assert "build.toml" in raised.value.message


def test_results_that_are_no_files_are_named_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "build").mkdir()
    os.mkfifo(tmp_path / "build" / "result.json")
    os.mkfifo(tmp_path / "build" / "sweep.json")
    for place in (tmp_path / "fifo", tmp_path / "build", Path("/dev/zero")):
        for read in (read_build, read_sweep):
            with pytest.raises(ConfigError, match="is not a plain file"):
                read(place)


def test_an_assignment_of_any_depth_is_refused_by_name() -> None:
    for assignment in (f"{'a.' * 5000}b=1", f"a={'[' * 3000}", f"a={'9' * 5000}"):
        with contextlib.suppress(ConfigError):
            with_assignment({}, assignment)
    with pytest.raises(ConfigError, match="more than 20 parts"):
        with_assignment({}, f"{'a.' * 5000}b=1")
