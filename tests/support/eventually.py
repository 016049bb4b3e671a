"""Waiting for what a test expects to come about, and for nothing longer."""

import time
from collections.abc import Callable
from typing import Any


def eventually(is_so: Callable[[], Any]) -> Any:
    """What `is_so` returns once that is something."""
    deadline = time.monotonic() + 90
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
