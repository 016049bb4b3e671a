"""Networks that branch reach the hardware graph and compute there what they computed before."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bskernel.images import ensure_environment
from bskernel.workspace.workspace import Workspace
from support.paths import ROOT, SUPPORT

pytestmark = pytest.mark.env
VERSIONS = ("finn-plus-1.6.1", "finn-plus-1.4.0")
# What streamlining chose for each network, and a layer of hardware that it must contain.
NETWORKS = {
    "residual": ("branching", "DuplicateStreams"),
    "residual-multiples": ("branching", "DuplicateStreams"),
    "residual-unrelated": ("branching", "ElementwiseAdd"),
    "skip": ("branching", "StreamingConcat"),
    "transposed": ("branching", "FMPadding_Pixel"),
    "transposed-oblong": ("branching", "FMPadding_Pixel"),
    "transposed-with-output-padding": ("branching", "FMPadding_Pixel"),
    "transposed-uneven": ("branching", "FMPadding_Pixel"),
    "raised": ("chain", "UpsampleNearestNeighbour"),
    "gated": ("branching", "ElementwiseMul"),
    "forked-pool": ("branching", "Pool"),
    "grouped": ("branching", "MVAU"),
    "pooled-globally": ("branching", "GlobalAccPool"),
    "pooled-before-activation": ("chain", "Pool"),
    "depthwise": ("chain", "VVAU"),
    "scored": ("chain", "MVAU"),
    "two-heads": ("branching", "DuplicateStreams"),
    "biases-between-layers": ("branching", "MVAU"),
    "early-output": ("branching", "DuplicateStreams"),
}


@pytest.fixture(scope="module", params=VERSIONS)
def found(request: pytest.FixtureRequest, environments: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("networks")
    recipes = Workspace(ROOT, environments).recipes
    recipe = next(recipe for recipe in recipes if recipe.name == f"finn-step@{request.param}")
    python = str(ensure_environment(recipe, environments, print).python)
    paths = os.pathsep.join(str(ROOT / name) for name in ("protocol", "executors"))
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([python, str(SUPPORT / "branching_networks.py"), str(folder)], check=True)
    run = [python, "-W", "ignore", str(SUPPORT / "run_recipes.py"), str(folder), *NETWORKS]
    done = subprocess.run(run, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_reaches_hardware_and_computes_what_it_did(found: Any, network: str) -> None:
    result = found[network]
    assert result["unmapped"] == []
    assert result["bare_forks"] == []
    assert result["differing"] == 0
    assert result["streamline"] == NETWORKS[network][0]
    assert NETWORKS[network][1] in result["hardware"]


def test_branches_of_one_scale_or_of_multiples_are_joined_as_integers(found: Any) -> None:
    assert found["gated"]["warnings"] == []
    assert found["residual"]["warnings"] == []
    assert found["residual-multiples"]["warnings"] == []


def test_branches_of_unrelated_scales_are_warned_of(found: Any) -> None:
    (warning,) = found["residual-unrelated"]["warnings"]
    assert "different scales" in warning
    assert "one shared quantizer" in warning


def test_a_sigmoid_at_the_end_stays_on_the_host(found: Any) -> None:
    assert found["scored"]["host"][-1] == "Sigmoid"


def test_the_reason_for_a_recipe_names_the_nodes(found: Any) -> None:
    assert "joins (1): Add_" in found["residual"]["why"]
    assert "scales before forks (1): Mul_" in found["residual"]["why"]
