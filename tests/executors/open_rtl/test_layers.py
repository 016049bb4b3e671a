"""Layers of the library, made by FINN's code, in Verilator against FINN's execution in Python."""

from pathlib import Path

import pytest
from bskernel.workspace.workspace import Workspace
from support import layer_cases
from support.layer_proof import find_tools, prove

pytestmark = pytest.mark.env
CASES = (*layer_cases.FORKS, *layer_cases.ELEMENTWISE)


def test_every_beat_is_what_finn_computes_and_a_frame_takes_the_estimated_cycles(
    workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    tools = find_tools(workspace, environments, tmp_path)
    for layer, proof in zip(CASES, prove(CASES, tools, tmp_path / "bench"), strict=True):
        assert proof.cycles == proof.estimated_cycles, layer
