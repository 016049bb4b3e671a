"""Strict decoding of files that people write. Errors name the file, the key and the choices."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from bskernel.config.value_check import check_values

T = TypeVar("T")


def convert(data: object, type_: type[T], path: Path | str) -> T:
    """Decode `data` read from `path`. Raises ConfigError naming file, key and choices."""
    wrong = check_values(data, path)
    try:
        decoded = msgspec.convert(data, type_)
    except msgspec.ValidationError as error:
        from bskernel.config.decode_error import explain

        raise explain(error, data, type_, path) from error
    if wrong is not None:
        raise wrong
    return decoded
