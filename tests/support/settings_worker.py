"""Runs in FINN's own environment: FINN's settings as a step finds them, and as FINN makes them at once.

Each line of its input is variables of the environment in JSON, each line of its output both settings, and the
variables that each leaves.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what FINN prints is no answer

from bskernel_executors.finn_step.library import load  # noqa: E402

load()

from bskernel_executors.finn_step.paths import set_environment  # noqa: E402
from finn.util import settings  # noqa: E402


class AnyStep:
    """A step without dependencies."""

    work = Path(os.environ["HOME"])
    inputs: tuple[str, ...] = ()


def observe(prepare: Callable[[], None]) -> tuple[bool, list[Any]]:
    before = dict(os.environ)
    try:
        set_environment(AnyStep(), AnyStep.work / "state")  # type: ignore[arg-type]
        were_made = settings._SETTINGS is not None
        prepare()
        left = dict(os.environ)
        found = settings.get_settings()
        seen = [str(found.model_dump()), str(found.__pydantic_private__), left, dict(os.environ)]
        return were_made, seen
    finally:
        os.environ.clear()
        os.environ.update(before)


for line in sys.stdin:
    variables = json.loads(line)
    os.environ.update(variables)
    (were_made, late), (_, at_once) = observe(lambda: None), observe(settings.initialize_dummy_settings)
    found = {"were_made": were_made, "late": late, "at_once": at_once}
    for name in variables:
        del os.environ[name]
    print(json.dumps(found), file=answers, flush=True)
