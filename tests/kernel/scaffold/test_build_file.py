"""A new build.toml says what it was given, whatever that is, and what it comments on."""

from __future__ import annotations

import tomllib
from typing import Any

from bskernel.config.toml_text import to_toml
from bskernel.core.visible_text import visible
from bskernel.scaffold.boards import Families, Family, default_board, group_boards
from bskernel.scaffold.build_file import BuildFile, TomlLine, TomlTable, active_lines
from bskernel.scaffold.network import DescribedLayer, DescribedNetwork, DescribedTensor, Obstacle, Remedy
from bskernel.scaffold.new_build import Target, make_build
from bskernel.scaffold.summary import count_bits, summarize_network
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(codec="utf-8"))
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def network(**changed: Any) -> DescribedNetwork:
    layer = DescribedLayer(
        name="MatMul_0",
        operator="MatMul",
        weights=(16, 4),
        input_datatype="UINT8",
        weight_datatype="INT4",
        macs=64,
        quantized=True,
    )
    values = {
        "stages": ("qonnx",),
        "exporter": "pytorch 2.8.0",
        "opset": 18,
        "inputs": (DescribedTensor(name="x", shape=(1, 16), datatype="UINT8"),),
        "outputs": (DescribedTensor(name="y", shape=(1, 4), datatype="FLOAT32"),),
        "layers": (layer,),
        "operators": {"MatMul": 1},
        "changes": 0,
        "problems": (),
    }
    return DescribedNetwork(**{**values, **changed})


@given(VALUES)
def test_every_value_is_read_back_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"key = {to_toml(value)}") == {"key": value}


@given(TEXTS, TEXTS, TEXTS)
def test_no_comment_becomes_a_key(head: str, above: str, beside: str) -> None:
    lines = (TomlLine(comment=above), TomlLine(key="board", value="U50", comment=beside))
    off = TomlLine(key="part", value=1, comment=beside, active=False)
    text = BuildFile(head=(head,), tables=(TomlTable(header="[target]", lines=(*lines, off)),)).text()
    assert tomllib.loads(visible(text)) == {"target": {"board": "U50"}}


def test_a_table_without_active_keys_is_a_comment() -> None:
    off = TomlTable(header="[quality]", lines=(TomlLine(key="samples", value="x.npz", active=False),))
    text = BuildFile(
        head=(), tables=(TomlTable(header="[build]", lines=active_lines({"model": "n.onnx"})), off)
    ).text()
    assert tomllib.loads(text) == {"build": {"model": "n.onnx"}}
    assert "# [quality]" in text


def test_a_remedy_that_only_the_user_can_confirm_is_a_comment() -> None:
    remedy = Remedy(step="adapt", name="input_datatype", value="UINT8")
    stays = Obstacle(fails=False, what="layers stay on the host", remedy="quantize the input", setting=remedy)
    text = make_build(network(problems=(stays,)), "net.onnx", "estimate", Target(board="U50"), ["U200"]).text()
    data = tomllib.loads(text)
    assert data == {"build": {"model": "net.onnx", "flow": "estimate"}, "target": {"board": "U50", "clock_ns": 5.0}}
    assert '# input_datatype = "UINT8"' in text
    assert "# [step.adapt.parameters]" in text
    assert "quantize the input" in text


def test_a_model_past_the_first_steps_begins_later() -> None:
    found = network(stages=("hwgraph", "estimates"), layers=())
    data = tomllib.loads(make_build(found, "hw.onnx", "estimate", Target(part="xc7z020clg400-1"), ()).text())
    assert data["flow"] == {"input_type": "hwgraph"}
    assert data["target"]["part"] == "xc7z020clg400-1"


def test_the_summary_names_ends_bits_and_the_share_that_can_be_hardware() -> None:
    host = DescribedLayer(
        name="Conv_0",
        operator="Conv",
        weights=(4, 3, 3, 3),
        input_datatype=None,
        weight_datatype="SCALEDINT<6>",
        macs=192,
        quantized=False,
    )
    lines = "\n".join(summarize_network(network(layers=(host, *network().layers)), "net.onnx"))
    for text in ("pytorch 2.8.0", "x [1, 16] UINT8", "256 MACs", "weights 4, 6", "8, float", "1 of 2 layers", "25%"):
        assert text in lines, lines


def test_an_unknown_number_is_left_out() -> None:
    layer = network().layers[0]
    unknown = DescribedLayer(**{name: getattr(layer, name) for name in layer.__struct_fields__} | {"macs": None})
    lines = "\n".join(summarize_network(network(layers=(layer, unknown), exporter=None, opset=None), "net.onnx"))
    assert "MACs" not in lines
    assert "opset" not in lines


def test_bits_of_data_types() -> None:
    types = ("INT8", "UINT12", "BIPOLAR", "TERNARY", "BINARY", "SCALEDINT<6>", "FIXED<8,4>")
    assert [count_bits(name) for name in types] == [8, 12, 1, 2, 1, 6, 8]


def test_each_board_is_in_one_group_and_the_proposed_one_is_known() -> None:
    families = Families(default="A", family=(Family(name="Zynq", begins=("xczu", "xc7z")),))
    boards = {"B": "xc7z020", "C": "xcu50", "A2": "xczu3eg"}
    assert group_boards(boards, families) == {"Zynq": ("A2", "B"), "other": ("C",)}
    assert default_board(boards, families) == "A2"
    assert default_board({**boards, "A": "xczu1"}, families) == "A"
    assert default_board({}, families) is None
