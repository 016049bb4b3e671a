"""Compiles an executor's sources on installation: in a read-only container every start would compile them again."""

from __future__ import annotations

import importlib.util
import marshal
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from bskernel.images.recipe import Recipe

_UNCHECKED_HASH = (1).to_bytes(4, "little")  # the flags of a .pyc (PEP 552)


def compile_sources(recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    """(path inside PYTHONPATH, bytecode) of each source; nothing when this Python's version is not the recipe's.

    Python uses the bytecode without checking the source: both are in a folder or image named by the sources' digest.
    """
    if recipe.file.python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    for name, path in recipe.source_files():
        if path.suffix != ".py":
            continue
        source = path.read_bytes()
        try:
            code = compile(source, name, "exec", dont_inherit=True, optimize=-1)
        except (SyntaxError, ValueError):
            continue  # importing it raises the error
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
        yield str(PurePosixPath(importlib.util.cache_from_source(name))), head + marshal.dumps(code)
