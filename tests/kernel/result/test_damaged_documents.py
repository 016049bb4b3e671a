"""Whatever bytes are in a document of a build or a sweep, reading it ends in its content or in one declared error."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import BskernelError, ConfigError
from bskernel.history.reader import describe_build, read_history
from bskernel.result.build_directory import BuildDirectory, last_files
from bskernel.result.build_result import BuildResult
from bskernel.result.diff import read_build
from bskernel.result.explanation import explain
from bskernel.result.integrity import find_altered, find_altered_points
from bskernel.result.result_file import read_result
from bskernel.store import DiskStore
from bskernel.store.seal import seal
from bskernel.sweeps.results.sweep_file import find_altered_sweep, read_sweep
from bskernel_protocol import pretty_json
from hypothesis import given, settings
from hypothesis import strategies as st

HASH = "0" * 64
RESULT: dict[str, Any] = {
    "name": "b",
    "status": "ok",
    "runtime": "process",
    "directory": "/d",
    "seconds": 1.5,
    "steps": [
        {
            "name": "add",
            "executor": "e@1",
            "entry": "add",
            "status": "ran",
            "key": HASH,
            "outputs": [{"name": "model", "kind": "file", "digest": {"sha256": HASH, "size": 1}}],
        }
    ],
    "artifacts": {"model": {"name": "model", "kind": "file", "digest": {"sha256": HASH, "size": 1}}},
    "by_step": {"add": {"model": {"name": "model", "kind": "tree", "digest": {"sha256": HASH, "size": 1}}}},
    "metrics": {"number": [{"value": 3, "unit": "count", "stage": "estimate", "source": "x"}]},
}
SWEEP: dict[str, Any] = {
    "table": {
        "name": "s",
        "keys": ["a"],
        "rows": [{"name": "p", "settings": {"a": 1}, "status": "ok", "directory": "points/p"}],
    }
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """A document with one value anywhere replaced, or bytes cut, flipped or nested."""
    data = json.dumps(document).encode()
    how = draw(st.sampled_from(["value", "flip", "cut", "bytes", "nested"]))
    if how == "nested":
        depth = draw(st.integers(900, 100_000))
        return data[:-1] + b',"more":' + draw(st.sampled_from([b"[", b'{"a":'])) * depth
    if how == "bytes":
        return draw(st.binary())
    at = draw(st.integers(0, len(data) - 1))
    if how == "cut":
        return data[:at]
    if how == "flip":
        return data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
    copy = json.loads(data)
    inner: Any = copy
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = draw(st.sampled_from(keys))
        if isinstance(inner[key], dict | list) and inner[key] and draw(st.booleans()):
            inner = inner[key]
            continue
        inner[key] = draw(values)
        return json.dumps(copy).encode()


@settings(max_examples=200)
@given(data=altered(RESULT))
def test_every_reader_of_a_result_ends_in_its_content_or_a_declared_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    build = tmp_path_factory.mktemp("build")
    (build / "artifacts").mkdir()
    (build / "result.json").write_bytes(data)
    for read in (
        lambda: read_result(build, BuildResult),
        lambda: read_build(build),
        lambda: explain(build, "add"),
        lambda: find_altered(build),
        lambda: find_altered_points(build.parent),
        lambda: describe_build(build, DiskStore(build / "cache")),
    ):
        with contextlib.suppress(BskernelError):
            read()
    (build / "config.json").write_text("{}")
    history = read_history([build])
    assert len(history.builds) + len(history.damaged) == 1


@settings(max_examples=100)
@given(data=altered(SWEEP))
def test_reading_a_sweep_ends_in_its_content_or_a_declared_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sweep = tmp_path_factory.mktemp("sweep")
    (sweep / "sweep.json").write_bytes(data)
    with contextlib.suppress(BskernelError):
        read_sweep(sweep)
    find_altered_sweep(sweep)


@given(data=st.binary() | st.integers(1, 3000).map(lambda depth: b"\x91" * depth), sealed=st.booleans())
def test_the_other_files_of_a_build_directory_may_hold_anything(
    data: bytes, sealed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    build = tmp_path_factory.mktemp("build")
    (build / "result.json").write_text(json.dumps(RESULT))
    step = build / "steps" / "00-add"
    for path in (
        build / ".written",
        build / ".laid",
        build / ".stamp",
        build / "config.json",
        step / "action.msgpack",
        step / "manifest.msgpack",
        step / "log.jsonl",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(seal(path.name, data) if sealed else data)
    directory = BuildDirectory(build)
    directory.last_actions()
    directory.manifests()
    assert find_altered(build), "its artifacts are not there"
    for read in (lambda: read_build(build), lambda: explain(build, "add"), lambda: directory.manifest("add")):
        with contextlib.suppress(ConfigError):
            read()


@pytest.mark.parametrize("name", ["result.json", "sweep.json"])
def test_a_fifo_in_place_of_a_document_is_no_wait(tmp_path: Path, name: str) -> None:
    import os

    os.mkfifo(tmp_path / name)
    read = read_sweep if name == "sweep.json" else lambda path: read_result(path, BuildResult)
    with pytest.raises(ConfigError, match="not a plain file"):
        read(tmp_path)


def test_what_was_noted_is_compared_and_nothing_else(tmp_path: Path) -> None:
    directory = BuildDirectory(tmp_path)
    result = msgspec.convert(RESULT | {"artifacts": {}, "by_step": {}}, BuildResult, dec_hook=lambda _, v: Path(v))
    directory.write_results(pretty_json(result), last_files({"n": 1}, None))
    assert find_altered(tmp_path) == ()
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("the user's")
    assert find_altered(tmp_path) == ("metrics.json: altered",)
