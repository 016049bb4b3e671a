"""What a store reads back is what was written, or nothing; no bytes end in a traceback."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.action import Action, ActionResult
from bskernel.store import DiskStore
from bskernel.store.codec import (
    StoredResult,
    decoded_listing,
    decoded_result,
    decoded_stored,
    encoded_result,
    encoded_stored,
    lacks_outputs,
)
from bskernel.store.file_digests import FILES, FileDigests
from bskernel.store.generation import GENERATION, Generation
from bskernel.store.seal import seal, unseal
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    OutputDescription,
    ProtocolError,
    TreeFile,
    TreeListing,
    canonical_bytes,
    digest_of_bytes,
)
from hypothesis import given
from hypothesis import strategies as st

ACTION = Action(
    protocol=PROTOCOL_VERSION, executor="e@1", executor_digest="d", entry="x", parameters={}, inputs={}, salt=""
)
KEY = ACTION.key.sha256
DIGEST = digest_of_bytes(b"content")
RESULT = ActionResult(
    outputs=(Artifact(name="model", kind="file", digest=DIGEST, media_type="x"),), record={"n": 50}, log=DIGEST
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
)
hostile = st.binary() | values.map(msgspec.msgpack.encode) | st.integers(1, 3000).map(lambda depth: b"\x91" * depth)


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_stored_result_with_any_byte_changed_is_none(at: int, flip: int) -> None:
    data = bytearray(encoded_stored(KEY, StoredResult(result=RESULT, origin="s")))
    data[at % len(data)] ^= flip
    assert decoded_stored(KEY, bytes(data)) is None


@given(at=st.integers(0, 10**6), more=st.binary(max_size=9))
def test_a_stored_result_that_was_cut_or_continued_is_none(at: int, more: bytes) -> None:
    data = encoded_result(KEY, RESULT)
    changed = data[: at % (len(data) + 1)] + more
    assert changed == data or decoded_result(KEY, changed) is None


def test_the_result_of_another_action_is_none() -> None:
    data = encoded_result(KEY, RESULT)
    assert decoded_result(KEY, data) == RESULT
    assert decoded_result("0" * 64, data) is None
    assert decoded_stored(KEY, data) is None, "a shared store's file is no file of the cache"


@given(
    base=st.fixed_dictionaries({"outputs": st.just(RESULT.outputs), "log": st.none()}, optional={"more": values}),
    record=values | st.dictionaries(st.text(), values),
)
def test_whatever_somebody_else_sealed_is_a_result_that_can_be_stored_or_none(
    base: dict[str, Any], record: Any
) -> None:
    body = msgspec.msgpack.encode({"type": "action-result", "record": record, **base})
    found = decoded_result(KEY, seal(KEY, body))
    if found is not None:
        assert decoded_result(KEY, encoded_result(KEY, found)) == found


@given(body=hostile)
def test_whatever_bytes_are_sealed_nothing_raises(body: bytes) -> None:
    for name in (KEY, GENERATION, FILES):
        sealed = seal(name, body)
        assert unseal(name, sealed) == body
        assert unseal("other", sealed) is None
    assert decoded_result(KEY, seal(KEY, body)) is None
    assert decoded_stored(KEY, seal(KEY, body)) is None
    decoded_listing(body)


@given(body=hostile, sealed=st.booleans())
def test_a_cache_with_any_bytes_in_its_own_files_works(
    body: bytes, sealed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    for name in (GENERATION, FILES):
        (cache / name).write_bytes(seal(name, body) if sealed else body)
    assert FileDigests(cache / FILES).of(cache / FILES) == digest_of_bytes((cache / FILES).read_bytes())
    first, second = Generation(cache), None
    if not Generation.is_damaged(cache / GENERATION):
        assert first.stamp_ns >= 0
        return
    second = DiskStore(cache)
    digest = second.put(b"content")
    assert DiskStore(cache).get(digest) == b"content"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "record",
    [{"n": float("nan")}, {"n": float("inf")}, {"n": b"bytes"}, {"n": nested(150)}, {"n": "x" * (65 << 20)}],
    ids=["nan", "inf", "bytes", "deep", "large"],
)
def test_a_record_that_could_not_be_recalled_is_refused_when_it_is_stored(record: Any) -> None:
    with pytest.raises(ValueError, match="record"):
        encoded_result(KEY, msgspec.structs.replace(RESULT, record=record))


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "a/b"],
        ["a/b", "a/b/c/d"],
        ["/".join(["d"] * 200)],
        ["n" * 256],
        ["\u00fc" * 128],
        ["/".join(["n" * 200] * 20)],
    ],
    ids=["file and folder", "file and deep folder", "too deep", "name", "name in bytes", "path"],
)
def test_a_tree_that_no_disk_can_hold_is_none(paths: list[str]) -> None:
    listing = TreeListing(files=tuple(TreeFile(path=path, digest=DIGEST) for path in paths))
    assert decoded_listing(canonical_bytes(listing)) is None


@given(paths=st.lists(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3).map("/".join), unique=True))
def test_a_tree_is_laid_out_as_it_is_listed_or_is_none(
    paths: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = DiskStore(tmp_path_factory.mktemp("cache"))
    digest = store.put(b"content")
    try:
        listing = TreeListing(files=tuple(TreeFile(path=path, digest=digest) for path in sorted(paths)))
        data = canonical_bytes(listing)
    except (ValueError, ProtocolError, UnicodeEncodeError):
        return
    tree = Artifact(name="t", kind="tree", digest=store.put(data))
    target = tmp_path_factory.mktemp("laid") / "t"
    if store.materialise(tree, target):
        assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == sorted(paths)
    else:
        assert not target.exists()


@pytest.mark.parametrize(
    ("outputs", "lacking"),
    [
        ([("model", "file", "x")], False),
        ([("model", "file", "x"), ("extra", "file", "x")], False),
        ([], True),
        ([("extra", "file", "x")], True),
        ([("model", "tree", "x")], True),
        ([("model", "file", "y")], True),
        ([("model", "file", "x"), ("other", "file", "x")], True),
    ],
)
def test_a_result_has_the_outputs_that_are_declared_or_is_none(
    outputs: list[tuple[str, Any, str]], lacking: bool, tmp_path: Path
) -> None:
    declared = (
        OutputDescription(name="model", kind="file", media_type="x"),
        OutputDescription(name="extra", kind="file", media_type="x", required=False),
    )
    store = DiskStore(tmp_path / "cache")
    digest = store.put(b"content")
    made = [Artifact(name=name, kind=kind, digest=digest, media_type=media) for name, kind, media in outputs]
    result = ActionResult(outputs=tuple(artifact for artifact in made if artifact.kind == "file"))
    assert lacks_outputs(ActionResult(outputs=tuple(made)), declared) == lacking
    store.remember(ACTION, result)
    assert store.recall(ACTION) == result
    assert store.recall(ACTION, declared) == (None if lacks_outputs(result, declared) else result)
