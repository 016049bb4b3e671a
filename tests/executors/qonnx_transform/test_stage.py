"""The stage of hardware graphs whose nodes have no names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bskernel_executors.qonnx_transform.stage import detect_stage
from onnx import helper

DOMAIN = "finn.custom_op.fpgadataflow.hls"


def hardware(**attributes: Any) -> Any:
    nodes = [helper.make_node("MVAU_hls", [f"t{at}"], [f"t{at + 1}"], domain=DOMAIN, **attributes) for at in range(3)]
    return helper.make_graph(nodes, "hardware", [], [])


def test_layers_without_names_are_counted_one_by_one() -> None:
    found = detect_stage(hardware(PE=2), None)
    assert found.stages == ("hwgraph", "estimates")
    assert "3 with PE or SIMD above 1" in found.evidence[-1]
    assert detect_stage(hardware(), None).stages == ("hwgraph",)


def test_layers_without_names_are_told_apart_when_their_code_is_missing(tmp_path: Path) -> None:
    found = detect_stage(hardware(code_gen_dir_ipgen="/build/code"), tmp_path)
    assert found.stages == ()
    assert "code of MVAU_hls (layer 1), code of MVAU_hls (layer 2), code of MVAU_hls (layer 3)" in found.evidence[-1]
