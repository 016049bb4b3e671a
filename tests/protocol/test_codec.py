"""Canonical bytes, strict decoding and frames."""

import contextlib
import io
import math
from typing import Any

import pytest
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Artifact,
    Digest,
    FrameError,
    ProtocolError,
    StepManifest,
    TreeFile,
    TreeListing,
    canonical_bytes,
    decode_command,
    decode_document,
    decode_event,
    digest_of_bytes,
    pretty_json,
    read_frame,
    write_frame,
)
from hypothesis import given
from hypothesis import strategies as st

MANIFEST = StepManifest(
    protocol=PROTOCOL_VERSION,
    step="step_tidy_up",
    executor="finn-step",
    version="finn-plus-1.6.1",
    executor_digest="0" * 64,
    entry="step_tidy_up",
    parameters={"target_fps": 100000, "clock_ns": 5.0},
    inputs=(Artifact(name="model", kind="file", digest=digest_of_bytes(b"onnx")),),
)


def test_a_manifest_comes_back_as_it_was() -> None:
    assert decode_document(canonical_bytes(MANIFEST)) == MANIFEST


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_bytes({"a": 1, "b": 2}) == canonical_bytes({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_canonical_form(value: float) -> None:
    with pytest.raises(ProtocolError, match=r"dict\.x\[0\]"):
        canonical_bytes({"x": [value]})


def test_a_message_without_its_tag_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_document(canonical_bytes({"files": []}))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode_document(data)


@pytest.mark.parametrize("depth", [500, 1_100, 5_000, 1_000_000])
@pytest.mark.parametrize("nested", [b"\x91", b"\x81\xa1a"])
@pytest.mark.parametrize("decode", [decode_command, decode_document, decode_event])
def test_a_value_that_nests_deeper_than_the_stack_is_refused(decode: Any, nested: bytes, depth: int) -> None:
    with pytest.raises(ProtocolError):
        decode(b"\x82\xa4type\xa5alive\xa4more" + nested * depth + b"\xc0")


def test_a_value_that_nests_deeper_than_the_stack_has_no_canonical_form() -> None:
    value: Any = None
    for _ in range(5_000):
        value = [value]
    for encode in (canonical_bytes, pretty_json):
        with pytest.raises(ProtocolError):
            encode({"value": value})


def test_another_protocol_version_is_refused_by_number() -> None:
    data: dict[str, Any] = {"type": "step-result", "protocol": 99, "step": "x"}
    with pytest.raises(ProtocolError, match="99"):
        decode_document(canonical_bytes(data))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "a//b", "", ".", "a\\b"])
def test_a_tree_holds_no_path_that_leaves_it(path: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        TreeFile(path=path, digest=digest_of_bytes(b""))


def test_a_tree_lists_each_path_once_in_order() -> None:
    file = TreeFile(path="a", digest=digest_of_bytes(b""))
    with pytest.raises(ValueError, match="once"):
        TreeListing(files=(file, file))


@pytest.mark.parametrize("text", ["", "A" * 64, "0" * 63])
def test_a_digest_cannot_be_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Digest(sha256=text, size=0)


@given(st.lists(st.binary(max_size=300)))
def test_frames_come_out_as_they_went_in(messages: list[bytes]) -> None:
    stream = io.BytesIO()
    for message in messages:
        write_frame(stream, message)
    stream.seek(0)
    assert [read_frame(stream) for _ in messages] == messages
    assert read_frame(stream) is None


def test_a_stray_print_on_the_channel_is_no_frame() -> None:
    with pytest.raises(FrameError) as caught:
        read_frame(io.BytesIO(b"INFO: loading libraries\n"))
    assert caught.value.data == b"INFO: lo"


def test_a_torn_frame_is_an_error_not_an_end() -> None:
    stream = io.BytesIO()
    write_frame(stream, b"message")
    with pytest.raises(FrameError, match="inside"):
        read_frame(io.BytesIO(stream.getvalue()[:-1]))
