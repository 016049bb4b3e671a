"""The RTL matrix unit takes weights of two bits and more: `prefer` widens those of one bit."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bskernel.images import ensure_environment, environment_variables, find_recipes
from support.paths import ROOT, SUPPORT

pytestmark = pytest.mark.env


def prefer(environments: Path, style: str) -> Any:
    (recipe,) = (found for found in find_recipes(ROOT) if found.name == "finn-step@finn-plus-1.6.1")
    environment = ensure_environment(recipe, environments, print)
    done = subprocess.run(
        [str(environment.python), "-P", str(SUPPORT / "widened_weights.py"), style],
        env={**os.environ, **environment_variables(recipe), "PYTHONPATH": str(environment.code)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_weights_of_one_bit_are_widened_for_rtl_and_give_the_same(environments: Path) -> None:
    assert prefer(environments, "rtl") == [["MVAU_0"], "INT2", "INT2", "MVAU_rtl", True]


def test_weights_of_one_bit_stay_where_rtl_is_not_preferred(environments: Path) -> None:
    assert prefer(environments, "hls") == [[], "BIPOLAR", "BIPOLAR", "MVAU_hls", True]
