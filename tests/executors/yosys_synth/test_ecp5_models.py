"""Models of ECP5's cells do what Lattice documents, and what Yosys' own models do where it has any."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from bskernel_executors.yosys_synth import lattice
from bskernel_executors.yosys_synth.lattice.ecp5_models import find_unmodelled, select_models
from support.builds import build_text
from support.ecp5_cells import compute, count_bits, list_cells, write_bench

OWN = {path.name: path.read_text() for path in (Path(lattice.__file__).parents[1] / "models").iterdir()}
IDLE = 16  # cycles of the simulator's reset
COMPARED = ("LUT4", "LUT2", "PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")


def yosys_models(workspace: Workspace, environments: Path) -> str:
    """Yosys' models of these cells, with y_ before their names and without delays."""
    (recipe,) = [recipe for recipe in workspace.recipes if recipe.name == "yosys-synth@yosys-0.70"]
    python = ensure_environment(recipe, environments, lambda _: None).python
    (share,) = python.parents[1].glob("lib/python*/site-packages/pyosys/share/lattice")
    text = (share / "common_sim.vh").read_text() + (share / "ccu2c_sim.vh").read_text()
    found = re.findall(rf"^module (?:{'|'.join(COMPARED)})\b.*?^endmodule", text, re.DOTALL | re.MULTILINE)
    joined = re.sub(r"^\s*specify\b.*?\bendspecify\b", "", "\n".join(found), flags=re.DOTALL | re.MULTILINE)
    return re.sub(rf"\b({'|'.join(COMPARED)})(?=[ (#])", r"y_\1", joined)


@pytest.mark.env
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: install g++, as .ci/run does")
@pytest.mark.parametrize("count", [400, pytest.param(100_000, marks=pytest.mark.proof)])
def test_cells_give_what_is_documented_for_random_stimuli(
    workspace: Workspace, environments: Path, tmp_path: Path, count: int
) -> None:
    cells = list_cells()
    stimuli, outputs = count_bits(cells)
    frames = np.random.default_rng(20).integers(0, 2, size=(count, stimuli))
    expected = np.array(compute(cells, frames.tolist(), IDLE))
    folder, reference = tmp_path / "cells", tmp_path / "reference"
    folder.mkdir()
    reference.mkdir()
    files = select_models({cell.name for cell in cells}, OWN)
    texts = {Path(name).name: text for name, text in files.items()}
    texts |= {"top.sv": write_bench(cells), "yosys.v": yosys_models(workspace, environments)}
    for name, text in texts.items():
        (folder / name).write_text(text)
    streams = {
        name: {
            "width": width, "beats": 1, "parallel": width, "bits": 1, "signed": False, "datatype": "BINARY",
            "shape": [width],
        }
        for name, width in (("input", stimuli), ("output", outputs))
    }  # fmt: skip
    design = {"sources": sorted(texts), "layers": [], "fifos": [], "streams": [], "estimated_cycles": 1, **streams}
    (folder / "design.json").write_text(json.dumps(design))
    np.save(reference / "inputs.npy", frames)
    np.save(reference / "outputs.npy", expected)
    result = build_text(
        workspace,
        tmp_path,
        '[build]\nmodel = "number.txt"\n[[step]]\nentry = "rtl-sim:compile_library"\n'
        '[[step]]\nname = "compile"\nentry = "rtl-sim:compile"\ninputs = { rtl = "cells" }\n'
        '[[step]]\nentry = "rtl-sim:simulate"\ninputs = { rtl = "cells", reference = "reference" }\n',
    )
    assert result.status == "ok", result.failure


def test_every_kind_of_cell_that_the_bench_drives_is_modelled() -> None:
    kinds = {cell.name for cell in list_cells() if not cell.name.startswith("y_")}
    assert find_unmodelled(kinds, OWN) == ()
    assert find_unmodelled({"ALU54B", "LUT4", "DP16KD"}, OWN) == ("ALU54B",)
