"""Wide searches over the layers of the library, for `make proof`."""

import json
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from bskernel_executors.yosys_synth.counts import count_resources
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.layer_cases import Layer
from support.layer_limits import SYNTHESISED
from support.layer_proof import Tools, find_tools, make_cases, prove
from support.layer_search import LAYERS, OPERATIONS, SMALL, combine, pool_all, select_all

pytestmark = [pytest.mark.env, pytest.mark.proof]
BATCH = 40  # layers in one simulator
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a failure names its layer, and a batch takes a minute


@pytest.fixture(scope="module")
def tools(workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return find_tools(workspace, environments, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = tmp_path_factory.mktemp("benches")
    return (base / str(at) for at in count())


@settings(max_examples=15, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(layers=st.lists(LAYERS, min_size=BATCH, max_size=BATCH))
def test_any_layer_that_is_not_refused_is_exact_at_the_estimated_pace(
    layers: list[Layer], tools: Tools, benches: Iterator[Path]
) -> None:
    for layer, proof in zip(layers, prove(layers, tools, next(benches))[1], strict=True):
        assert proof.cycles == proof.estimated_cycles, layer


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_exact_for_every_pair_of_small_numbers(
    operation: str, tools: Tools, benches: Iterator[Path]
) -> None:
    prove(combine(operation), tools, next(benches))


def test_selection_and_pools_are_exact_for_every_combination_of_small_numbers(
    tools: Tools, benches: Iterator[Path]
) -> None:
    layers = [*select_all("UINT2", 4), *select_all("INT2", 3), *select_all("BIPOLAR", 6)]
    prove([*layers, *(layer for name in SMALL for layer in pool_all(name, 3))], tools, next(benches))


def test_estimates_differ_from_what_yosys_counts_by_less_than_a_third(
    workspace: Workspace, environments: Path, tools: Tools, tmp_path: Path
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == "yosys-synth@yosys-0.70")
    python = ensure_environment(recipe, environments, lambda _: None).python
    for layer, case in zip(SYNTHESISED, make_cases(SYNTHESISED, tools, tmp_path)[1], strict=True):
        script = (
            f"read_slang --top {case['module']} -j 1 --ignore-timing {' '.join(case['sources'])}; "
            "synth_xilinx -family xcup -flatten -noiopad -noclkbuf; tee -q -o counts.json stat -json"
        )
        run = "import sys; from pyosys import libyosys as y; y.run_pass(sys.argv[1], y.Design())"
        subprocess.run([str(python), "-c", run, script], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
        counted = json.loads((tmp_path / "counts.json").read_text())
        (module,) = counted["modules"].values()
        found, estimated = count_resources(module["num_cells_by_type"]), case["resources"]
        assert 0.67 < estimated["LUT"] / found["LUT"] < 1.5, (layer, found, estimated)
        assert (estimated["DSP"], estimated["BRAM_18K"]) == (found["DSP"], found["BRAM_18K"]), layer
