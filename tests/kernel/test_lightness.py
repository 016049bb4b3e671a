"""The kernel stays light: what a command does not need is not imported."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import bskernel.cli", {"docker", "rich", "msgspec", "uv", "yaml", "bskernel.workspace.workspace"}),
        ("import bskernel", {"docker", "rich", "msgspec", "click"}),
        ("import bskernel.workspace.workspace", {"docker", "rich", "requests", "yaml", "http", "email"}),
        ("import bskernel.workspace.workspace", {"fastjsonschema"}),
        ("import bskernel.workspace.workspace", {"dask", "distributed", "tornado"}),
        ("import bskernel.cli.group", {"docker", "rich", "msgspec", "yaml", "bskernel.workspace.workspace"}),
    ],
)  # fmt: skip
def test_importing_brings_nothing_heavy(code: str, absent: set[str]) -> None:
    script = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert absent.isdisjoint(done.stdout.split())
