"""Layers of the library, made by FINN's code, in Verilator against FINN's execution in Python."""

import re
from pathlib import Path

import pytest
from bskernel.workspace.workspace import Workspace
from support.layer_cases import ALL
from support.layer_limits import REFUSED
from support.layer_proof import Proof, Tools, find_tools, make_cases, prove, run_verilator
from support.paths import ROOT

pytestmark = pytest.mark.env
HDL = ROOT / "executors" / "bskernel_executors" / "open_rtl" / "hdl"


@pytest.fixture(scope="module")
def tools(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return find_tools(workspace, environments, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def proved(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[Proof]]:
    """Every beat of every case is what FINN computes, with any waits on any side."""
    return prove(ALL, tools, tmp_path_factory.mktemp("bench"))


def test_a_frame_takes_the_estimated_cycles(proved: tuple[list[str], list[Proof]]) -> None:
    for layer, proof in zip(ALL, proved[1], strict=True):
        assert proof.cycles == proof.estimated_cycles, layer


def test_the_resources_of_every_layer_but_wires_are_estimated(proved: tuple[list[str], list[Proof]]) -> None:
    for layer, proof in zip(ALL, proved[1], strict=True):
        assert (proof.resources["LUT"] > 0) == (layer["operator"] not in {"Squeeze", "Unsqueeze"}), layer


def test_the_library_is_chosen_only_where_rtl_is_preferred(proved: tuple[list[str], list[Proof]]) -> None:
    for layer, proof in zip(ALL, proved[1], strict=True):
        chosen = {style: found["selected"] for style, found in proof.by_style.items()}
        assert chosen == {style: f"{layer['operator']}_{style or 'hls'}" for style in ("rtl", "hls", "")}, layer


def test_finn_folds_the_librarys_layers_as_it_folds_those_in_hls(proved: tuple[list[str], list[Proof]]) -> None:
    faster = {"GlobalAccPool", "LabelSelect"}  # whose cycles differ from those in HLS
    for layer, proof in zip(ALL, proved[1], strict=True):
        folding = {style: found["folding"] for style, found in proof.by_style.items()}
        assert folding["rtl"] == folding["hls"] or layer["operator"] in faster, layer
        assert proof.by_style["rtl"]["name"] == f"{layer['operator']}_rtl"


def test_a_layer_that_the_library_cannot_implement_is_refused_with_the_reason(tools: Tools, tmp_path: Path) -> None:
    _, cases = make_cases([layer for layer, _ in REFUSED], tools, tmp_path)
    for case, (layer, reason) in zip(cases, REFUSED, strict=True):
        assert reason in case["refused"], layer


def test_every_layer_of_the_library_is_simulated(proved: tuple[list[str], list[Proof]]) -> None:
    assert {layer["operator"] for layer in ALL} == set(proved[0])


def test_the_documentation_lists_exactly_the_layers_of_the_library(proved: tuple[list[str], list[Proof]]) -> None:
    section = (ROOT / "docs" / "open-flow.md").read_text().partition("\n## Layers\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if "`bsk_" in line or "| wires" in line]
    assert sorted(name for operators, _ in rows for name in re.findall(r"\w+", operators)) == sorted(proved[0])
    named = {file for _, implementation in rows for file in re.findall(r"bsk_\w+\.sv", implementation)}
    assert named | {"bsk_register.sv", "bsk_extend.sv"} == {path.name for path in HDL.iterdir()}


@pytest.mark.parametrize("module", sorted(HDL.iterdir()), ids=lambda path: path.stem)
def test_a_module_of_the_library_has_no_warning(module: Path, tools: Tools) -> None:
    warnings = run_verilator(tools, ["--lint-only", "-Wall", "-y", str(HDL), str(module)], HDL)
    assert "%Warning" not in warnings, warnings
