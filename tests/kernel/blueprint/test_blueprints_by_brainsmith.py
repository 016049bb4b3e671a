"""Brainsmith's own parser on blueprints that we write and read, where its repository is given.

BSKERNEL_SOURCE_BRAINSMITH names one, as for a recipe. The parser is Brainsmith's at that commit; its registry, which
would need all of FINN, is replaced by one that knows every step and kernel by name.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bskernel.blueprint.exporter import to_yaml
from bskernel.blueprint.model import Blueprint
from bskernel.blueprint.reader import read_blueprint
from bskernel.images.git_source import GitSource, ensure_tree

SOURCE = GitSource(name="brainsmith", commit="6b1e9ef1bee0ce63561d32ccbf16b33ae2cdff80", keep=True)
pytestmark = pytest.mark.skipif(SOURCE.variable not in os.environ, reason=f"{SOURCE.variable} is not set")
PARSE = """
import json, sys, types
tree, path = sys.argv[1:]
def package(name, folder):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [tree + "/" + folder]
package("brainsmith", "brainsmith")
package("brainsmith.dse", "brainsmith/dse")
registry = sys.modules["brainsmith.registry"] = types.ModuleType("brainsmith.registry")
registry.has_step = lambda name: True
registry.list_backends_for_kernel = lambda kernel: [kernel + "_hls", kernel + "_rtl"]
registry.get_backend = lambda name: type(name.split(":")[-1], (), {})
from brainsmith.dse._parser import parse_blueprint
space, config = parse_blueprint(path, "model.onnx")
print(json.dumps({
    "board": config.board, "clock_ns": config.clock_ns, "output": config.output.value,
    "finn_config": config.finn_overrides, "steps": space.steps,
    "kernels": [[name, [backend.__name__ for backend in backends]] for name, backends in space.kernel_backends],
}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tree(SOURCE, "the test", tmp_path_factory.mktemp("cache"), print)


def by_brainsmith(tree: Path, path: Path) -> Any:
    command = [sys.executable, "-c", PARSE, str(tree), str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"BSMITH_DIR": str(tree)}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_us(blueprint: Blueprint) -> Any:
    kernels: list[Any] = []
    for kernel in blueprint.kernels:
        if isinstance(kernel, str):
            short = kernel.rpartition(":")[2]
            kernels.append([kernel, [f"{short}_rtl", f"{short}_hls"]])
        else:
            kernels += [[name, list(backends)] for name, backends in kernel.items()]
    return {
        "board": blueprint.board,
        "clock_ns": blueprint.clock_ns,
        "output": blueprint.output,
        "finn_config": blueprint.finn_config,
        "steps": [list(step) if isinstance(step, tuple) else step for step in blueprint.steps],
        "kernels": kernels,
    }


def test_brainsmith_reads_what_we_export(tree: Path, tmp_path: Path) -> None:
    blueprint = Blueprint(
        name="net",
        description="with: a colon, ünd mehr",
        board="ZCU104",
        clock_ns=2.5,
        output="rtl",
        finn_config={"target_fps": 10, "split_large_fifos": True, "signature": [1, 2], "board_note": "on"},
        kernels=("LayerNorm", {"finn:MVAU": ("MVAU_rtl", "MVAU_hls")}),
        steps=("qonnx_to_finn", ("streamline", "~"), ("a", "b", "c"), "finn:tidy_up"),
    )
    (tmp_path / "net.yaml").write_text(to_yaml(blueprint))
    assert by_brainsmith(tree, tmp_path / "net.yaml") == by_us(blueprint)


def test_we_read_brainsmith_s_own_examples_as_it_does(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSMITH_DIR", str(tree))
    examples = sorted((tree / "examples").rglob("*.yaml"))
    assert examples
    for path in examples:
        assert by_us(read_blueprint(path)[0]) == by_brainsmith(tree, path), path


@pytest.mark.parametrize(
    "steps",
    [
        "[{after: b, insert: x}]",
        "[{before: c, insert: [x, y, [p, q]]}]",
        "[{replace: b, with: [[p, '~']]}, {after: [p, '~'], insert: z}]",
        "[{remove: c}, {at_start: {insert: [x, y]}}, {at_end: {insert: z}}]",
        "[n, m, {after: n, insert: x}, {remove: nosuch}]",
        "[]",
    ],
)
def test_operations_come_to_the_same_steps(tree: Path, tmp_path: Path, steps: str) -> None:
    (tmp_path / "parent.yaml").write_text(
        "clock_ns: 5\ndesign_space: {steps: [a, b, c]}\nfinn_config: {x: 1, y: 2}\n"
    )
    child = tmp_path / "child.yaml"
    child.write_text(f"extends: parent.yaml\nfinn_config: {{y: 3}}\ndesign_space: {{steps: {steps}}}\n")
    assert by_us(read_blueprint(child)[0]) == by_brainsmith(tree, child)
