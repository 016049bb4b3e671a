"""An executor's sources compiled when they are put in place: where nothing may be written, each start would do it."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bskernel.images.recipe import Recipe


def compiled(recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    """(path inside PYTHONPATH, bytes) of each source's bytecode; none when this is another Python than the recipe's.

    It is taken without a look at the source: both lie in a folder, or an image, that is named by the sources' digest.
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
                    continue  # who imports it is told
                yield str(PurePosixPath(importlib.util.cache_from_source(name))), target.read_bytes()
