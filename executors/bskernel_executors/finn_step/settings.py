"""FINN's settings, made from the environment once a step asks for them.

They are a model of pydantic's, made four times in a row, and few steps ask: what generates code or calls a tool.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

from bskernel_executors.sdk.known_sources import find_package, has_source

# SHA-256 of the files of FINN+ 1.6.1 that make settings, and ask for them.
_KNOWN = {
    "interface/settings.py": "eac9011183407eafaad4b68903d48e8b32a39c47278acb886ad5db26a7aa951a",
    "util/settings.py": "0fa5fc4034a499c08ca9711b4cbf38043baa771a289bee969c1ef91d9329b99b",
}
_DEFINITIONS = "FINN_DEPS_DEFINITIONS"  # what the environment gets when settings are made, and has not got before
_MAKE = "_initialize_from_environment"  # called by FINN where there are no settings yet


@functools.cache
def _find_package() -> Path | None:
    """The folder of a FINN+ whose source is known; None for any other."""
    package = find_package("finn")
    return package if package is not None and has_source(package, _KNOWN) else None


def defer_settings() -> bool:
    """Let FINN make its settings when a step asks for them. False, and nothing is changed, for an unknown FINN+."""
    if _find_package() is None:
        return False
    settings = importlib.import_module("finn.util.settings")

    def make() -> Any:
        settings.initialize_dummy_settings()
        return settings._SETTINGS

    settings.__dict__[_MAKE] = make
    return True


def prepare_settings() -> None:
    """Make FINN's settings from the environment, or let FINN do so. 1.4.0 has none: it reads the environment."""
    package = _find_package()
    if package is None and importlib.util.find_spec("finn.util.settings") is None:
        return
    settings = importlib.import_module("finn.util.settings")
    if package is not None and _DEFINITIONS not in os.environ and settings.__dict__[_MAKE].__module__ == __name__:
        os.environ[_DEFINITIONS] = str(package / "interface" / "external_dependencies.yaml")
        settings.__dict__["_SETTINGS"] = None
    elif hasattr(settings, "initialize_dummy_settings"):
        settings.initialize_dummy_settings()
