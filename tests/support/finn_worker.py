"""A script of tests/support in FINN's own environment: each line that it is asked is JSON, and so is each answer."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bskernel.images import ensure_environment, environment_variables
from bskernel.workspace.workspace import Workspace

from support.paths import SUPPORT

Ask = Callable[[dict[str, Any]], dict[str, Any]]


@contextlib.contextmanager
def finn_worker(script: str, version: str, workspace: Workspace, environments: Path, home: Path) -> Iterator[Ask]:
    """Start the script in the environment of finn-step@VERSION; the function that asks it."""
    recipe = next(recipe for recipe in workspace.recipes if recipe.name == f"finn-step@{version}")
    environment = ensure_environment(recipe, environments, lambda _: None)
    variables = {"PYTHONPATH": str(environment.code), "HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [str(environment.python), str(SUPPORT / script)],
        env=environment_variables(recipe) | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as worker:

        def ask(question: dict[str, Any]) -> dict[str, Any]:
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(json.dumps(question) + "\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
            assert answer, question
            found: dict[str, Any] = json.loads(answer)
            return found

        yield ask
        assert worker.stdin is not None
        worker.stdin.close()
