"""What is known of FINN's steps ahead is what an analysis finds, and spares the executor most of its imports."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from bskernel.images import ensure_environment, environment_variables
from bskernel.workspace.workspace import Workspace
from support.paths import ROOT

FOLDER = ROOT / "executors" / "bskernel_executors" / "finn_step" / "reads"
ENTRIES = "import bskernel_executors.finn_step.entries as e, sys"
SELDOM = {"pandas", "networkx", "sympy", "onnx_ir", "onnxscript", "onnx_passes", "scipy.optimize", "torch", "sklearn"}
SELDOM |= {"scipy.special", "bitstring", "jinja2", "rich.console", "pydantic", "clize", "google.protobuf.json_format"}


class Executor:
    """Python with the environment of one FINN+."""

    def __init__(self, version: str, workspace: Workspace, environments: Path, home: Path) -> None:
        recipe = next(recipe for recipe in workspace.recipes if recipe.name == f"finn-step@{version}")
        self.environment = ensure_environment(recipe, environments, lambda _: None)
        folders = {"HOME": str(home), "TMPDIR": str(home), "FINN_BUILD_DIR": str(home), "PATH": "/usr/bin:/bin"}
        self.variables = environment_variables(recipe) | folders

    def run(self, *arguments: str, code: Path | None = None) -> str:
        variables = {**self.variables, "PYTHONPATH": str(code or self.environment.code)}
        done = subprocess.run(
            [str(self.environment.python), "-P", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def last_line(self, program: str, *, code: Path | None = None) -> str:
        return self.run("-c", program, code=code).splitlines()[-1]


@pytest.fixture(scope="module", params=["finn-plus-1.6.1", "finn-plus-1.4.0"])
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def executor(
    version: str, workspace: Workspace, environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Executor:
    return Executor(version, workspace, environments, tmp_path_factory.mktemp("home"))


def test_the_reads_of_each_recipe_s_finn_are_what_an_analysis_finds(executor: Executor, version: str) -> None:
    found, file = executor.run("-m", "bskernel_executors.finn_step.known_reads"), FOLDER / f"{version}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


def test_an_executor_that_knows_them_starts_without_what_few_steps_use(executor: Executor, version: str) -> None:
    # Layers of 1.4.0 import these.
    own = {"scipy.optimize", "scipy.special"} if version == "finn-plus-1.4.0" else set[str]()
    assert set(executor.last_line(f"{ENTRIES}; print(*sys.modules)").split()).isdisjoint(SELDOM - own)


def test_an_executor_of_another_finn_analyses_it_and_has_the_same_entries(
    executor: Executor, version: str, tmp_path: Path
) -> None:
    """As if one file of FINN's had changed: by the digest that is known of it."""
    code = tmp_path / "code"
    code.mkdir()
    for path in executor.environment.code.iterdir():
        if path.name != "bskernel_executors":
            (code / path.name).symlink_to(path)
    copied = code / "bskernel_executors"
    copied.mkdir()
    for path in (executor.environment.code / "bskernel_executors").iterdir():
        if path.name != "finn_step":
            (copied / path.name).symlink_to(path)
    (copied / "finn_step").mkdir()
    for path in (executor.environment.code / "bskernel_executors" / "finn_step").iterdir():
        if path.name != "reads":
            (copied / "finn_step" / path.name).symlink_to(path)
    (copied / "finn_step" / "reads").mkdir()
    known = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    known["sources"]["finn/builder/build_dataflow_steps.py"] = "0" * 64
    (copied / "finn_step" / "reads" / f"{version}.json").write_text(json.dumps(known), encoding="utf-8")
    program = f"{ENTRIES}; import msgspec; print(msgspec.json.encode(e.registry.catalogue()).decode())"
    assert executor.last_line(program, code=code) == executor.last_line(program)


def test_a_name_that_was_left_out_is_imported_where_it_is_used(executor: Executor, version: str) -> None:
    if version == "finn-plus-1.4.0":
        pytest.skip("FINN+ 1.4.0 has none of these modules")
    program = (
        f"{ENTRIES}; from finn.builder import build_dataflow_steps as steps; print('onnx_ir' in sys.modules, "
        "steps.SimulationCommMode.HYBRID_MPI.name, steps.LoopRolling(None).__class__.__name__, "
        "'onnx_ir' in sys.modules, 'torch' in sys.modules)"
    )
    assert executor.last_line(program) == "False HYBRID_MPI LoopRolling True False"


def test_libraries_that_were_left_out_do_what_they_do_otherwise(executor: Executor, version: str) -> None:
    """FINN's layers, words, templates, displays, settings, and what reads and writes its configuration."""
    if version == "finn-plus-1.4.0":
        pytest.skip("FINN+ 1.4.0 has few of these uses")
    use = """
import json
import numpy as np
from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.util import data_packing
from onnx import serialization, parser
from finn.custom_op.fpgadataflow import hwsoftmax
from finn.templates import get_jinja_environment
from finn.util import logging, settings
from rich.live import Live
said = [hwsoftmax.softmax(np.array([0.0, 1.0, 2.0])).tolist()]
said.append(get_jinja_environment().from_string("{{ 3 + 4 }}").render())
with Live(console=logging.get_console()) as display, logging.get_console().capture() as captured:
    logging.get_console().print("said on a console")
said.append(captured.get())
with logging.ThreadsafeProgressDisplay(["a"], [1], ["b"]):
    said.append("progress")
said.append(data_packing.BitArray(int=-3, length=4).bin)
config = DataflowBuildConfig(output_dir="there", synth_clk_period_ns=4.0, generate_outputs=[], fpga_part="xc7z020")
said.append(json.loads(config.to_json())["synth_clk_period_ns"])
said.append(DataflowBuildConfig.from_yaml(config.to_yaml()).fpga_part)
model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] y) { y = Relu(x) }')
said.append(serialization.registry.get("json").serialize_proto(model).decode())
said.append(settings.get_settings().model_dump(mode="json"))
print(json.dumps(said))
"""
    late = f"{ENTRIES}\n{use}"
    at_once = f"from bskernel_executors.finn_step.library import load; load()\n{use}"
    assert json.loads(executor.last_line(late)) == json.loads(executor.last_line(at_once))
