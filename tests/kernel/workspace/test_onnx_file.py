"""Which bytes are an ONNX model, and which files it names, for any bytes."""

import contextlib
import time
from pathlib import Path

import pytest
from bskernel.workspace.onnx_file import OnnxDamage, external_locations, find_locations
from hypothesis import given
from hypothesis import strategies as st
from support.onnx_bytes import constant, graph, loop, message, model, tensor, varint

LOCATIONS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
TENSORS = st.builds(
    lambda location, external: (tensor("w", location=location, external=external), [location] if external else []),
    st.none() | LOCATIONS,
    st.booleans(),
).map(lambda made: (made[0], [item for item in made[1] if item is not None]))


def _graph_of(parts: list[tuple[str, tuple[bytes, list[str]]]]) -> tuple[bytes, list[str]]:
    initializers = [data for kind, (data, _) in parts if kind == "initializer"]
    made = {"constant": constant, "loop": loop}
    nodes = [made[kind](data) for kind, (data, _) in parts if kind != "initializer"]
    return graph(initializers, nodes), [name for _, (_, names) in parts for name in names]


PARTS = st.tuples(st.sampled_from(["initializer", "constant"]), TENSORS)
GRAPHS = st.recursive(
    st.lists(PARTS, max_size=4).map(_graph_of),
    lambda inner: st.lists(PARTS | st.tuples(st.just("loop"), inner), max_size=3).map(_graph_of),
    max_leaves=6,
)


@given(GRAPHS)
def test_every_file_that_a_model_names_is_found_wherever_its_tensor_is(made: tuple[bytes, list[str]]) -> None:
    content, names = made
    assert set(find_locations(model(content))) == set(names)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_give_an_answer_or_say_what_is_wrong(junk: bytes, more: bytes) -> None:
    whole = model(graph([tensor("w", location="w.bin"), junk], [constant(more)]))
    for data in (junk, model(junk), model(graph([junk])) + b"location", whole, whole[: len(junk) % len(whole)]):
        with contextlib.suppress(OnnxDamage):
            assert all(isinstance(name, str) for name in find_locations(data))


@given(st.data())
def test_a_model_that_is_cut_off_is_never_taken_for_a_whole_one(data: st.DataObject) -> None:
    whole = message((1, 10), (7, graph([tensor("w", raw=bytes(60))])))
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(OnnxDamage):
        find_locations(whole[:end])


def test_graphs_of_any_depth_are_read_without_recursion() -> None:
    content = graph([tensor("deep", location="deep.bin")])
    for _ in range(3000):
        content = graph(nodes=[loop(content)])
    assert find_locations(model(content)) == {"deep.bin": "deep"}


def test_a_length_that_is_larger_than_the_file_takes_no_memory_and_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(OnnxDamage, match="cut off"):
        find_locations(message((1, 10)) + varint(7 << 3 | 2) + varint(1 << 62) + b"location")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "a zip archive, as torch.save writes"),
        (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
        (b"\x93NUMPY\x01\x00", "NumPy"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b'{"a": 1}', "text"),
        (message((1, message((1, b"node"), (2, b"Placeholder"))), (4, message((1, 21)))), "of another kind"),
        (b"\xff" * 40, "not readable"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(OnnxDamage, match=what):
        external_locations(path)
