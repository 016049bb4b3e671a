"""The kernel stays light: what a command does not need is not imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from bskernel.flow.loader import flow_names

# What a shipped flow asks of every build that it plans.
CONDITIONS = """
from bskernel.flow.conditions import holds, keys_in
from bskernel.flow.loader import shipped_flow
steps = shipped_flow({flow!r}).step
assert steps
for step in steps:
    keys_in(step.when)
    holds(step.when, {{"quality.verify": "off"}}, step.name)
"""
CACHED = """
import sys
from bskernel.cli import main
sys.argv = ["bskernel", "run", "build.toml"]
try:
    main()
finally:
    print(*sys.modules)
"""
BUILD = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
when = ["quality.verify != off", "target.clock_ns"]
[[step]]
name = "again"
entry = "testing:double"
when = '{when}'
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import bskernel.cli", {"docker", "rich", "msgspec", "uv", "yaml", "bskernel.workspace.workspace"}),
        ("import bskernel", {"docker", "rich", "msgspec", "click"}),
        ("import bskernel.workspace.workspace", {"docker", "rich", "requests", "yaml", "http", "email"}),
        ("import bskernel.workspace.workspace", {"fastjsonschema"}),
        ("import bskernel.workspace.workspace", {"dask", "distributed", "tornado"}),
        ("import bskernel.result.diff, bskernel.sweeps.points.points, bskernel.sweeps.analysis.analysis", {"lark"}),
        ("import bskernel.cli.group", {"docker", "rich", "msgspec", "yaml", "bskernel.workspace.workspace"}),
    ],
)  # fmt: skip
def test_importing_brings_nothing_heavy(code: str, absent: set[str]) -> None:
    script = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert absent.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("flow", flow_names())
def test_the_conditions_of_a_shipped_flow_need_no_lark(flow: str) -> None:
    script = f"{CONDITIONS.format(flow=flow)}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "bskernel.flow.conditions" in done.stdout.split()
    assert "lark" not in done.stdout.split()


@pytest.mark.parametrize(
    ("when", "needs_lark"),
    [
        ("quality.verify = stages", False),
        ("target.clock_ns < 9", False),
        ("target.clock_ns < 9 and target.clock_ns > 1", True),
    ],
)
def test_a_cached_build_imports_lark_for_conditions_beyond_the_plain_forms_alone(
    when: str, needs_lark: bool, surroundings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(BUILD.format(when=when))

    def modules() -> list[str]:
        command = [sys.executable, "-c", CACHED]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=surroundings)
        return done.stdout.splitlines()[-1].split()

    modules()
    assert (tmp_path / "build" / "b" / "artifacts" / "model").read_text() == "20"
    assert ("lark" in modules()) is needs_lark
