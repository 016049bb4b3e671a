"""Compiles the sources below a folder: `PYTHON -I -S bytecode_main.py FOLDER INTO SHOWN SHARE SHARES`.

A program of its own, so that a recipe's Python compiles, and nothing that this process has imported can change the
bytes. The bytecode lies below INTO, names its source below SHOWN and holds the source's hash, no time (PEP 552).
"""

import importlib.util
import marshal
import os
import sys
from collections.abc import Iterator

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def _sources(folder: str) -> Iterator[str]:
    """The paths of all Python sources, in order."""
    for at, folders, files in os.walk(folder):
        folders.sort()
        yield from (os.path.join(at, name) for name in sorted(files) if name.endswith(".py"))  # noqa: PTH118


def _head(source: bytes) -> bytes:
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)


def _compile(path: str, into: str, shown: str) -> None:
    with open(path, "rb") as file:  # noqa: PTH123 - this process imports as little as it can
        source = file.read()
    target = importlib.util.cache_from_source(into, optimization="")
    try:
        with open(target, "rb") as file:  # noqa: PTH123
            if file.read(16) == _head(source):
                return
    except OSError:
        pass
    try:
        code = compile(source, shown, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return  # importing it raises the error
    temporary = f"{target}.{os.getpid()}"
    os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
    with open(temporary, "wb") as file:  # noqa: PTH123
        file.write(_head(source) + marshal.dumps(code))
    os.replace(temporary, target)  # noqa: PTH105 - the target may be a hard link, or in use


def main(folder: str, into: str, shown: str, share: int, shares: int) -> None:
    """Compile each source that has no such bytecode yet, and whose number in order is in this share."""
    for number, path in enumerate(_sources(folder)):
        if number % shares == share:
            below = path[len(folder) :]
            _compile(path, into + below, shown + below)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
