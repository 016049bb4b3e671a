"""Compiles an executor's sources on installation: in a read-only container every start would compile them again."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bskernel.images.recipe import Recipe


def compile_sources(recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    """(path inside PYTHONPATH, bytecode) of each source; nothing when this Python's version is not the recipe's.

    Python uses the bytecode without checking the source: both are in a folder or image named by the sources' digest.
    """
    if recipe.file.python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    with tempfile.TemporaryDirectory(prefix="bskernel-") as folder:
        target = Path(folder, "module.pyc")
        for name, path in recipe.source_files():
            if path.suffix == ".py":
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                try:
                    py_compile.compile(str(path), str(target), name, doraise=True, invalidation_mode=mode)
                except py_compile.PyCompileError:
                    continue  # importing it raises the error
                yield str(PurePosixPath(importlib.util.cache_from_source(name))), target.read_bytes()
