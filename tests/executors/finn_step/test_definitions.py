"""Definitions of attributes that are made once per class, against those that FINN's layers make for each node."""

from pathlib import Path

import pytest
from bskernel.workspace.workspace import Workspace
from support.finn_worker import finn_worker


@pytest.mark.env
@pytest.mark.parametrize("version", ["finn-plus-1.6.1", "finn-plus-1.4.0"])
def test_definitions_of_finns_layers_are_the_same_for_each_node(
    version: str, workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    with finn_worker("definitions_worker.py", version, workspace, environments, tmp_path) as ask:
        found = ask({"PE": 4, "SIMD": 2, "backend": "fpgadataflow", "mem_mode": "external"})
    assert found["other"] == []
    assert found["kinds"] > 80
    if version == "finn-plus-1.6.1":  # before, a default of all layers was an array, which is made for each node
        assert found["own"] == ["BipolarQuant", "ElementwiseBitShift_hls", "NodeContainer"]
