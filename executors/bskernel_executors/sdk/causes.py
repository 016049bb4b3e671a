"""From an exception to a failure with its first real error lines."""

from __future__ import annotations

import sys
import traceback

import msgspec
from bskernel_protocol import Failure, FailureCategory

from bskernel_executors.sdk.step import StepFailure

_FRAMES = 6


def _root(error: BaseException) -> BaseException:
    seen = {id(error)}
    while True:
        deeper = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if deeper is None or id(deeper) in seen:
            return error
        seen.add(id(deeper))
        error = deeper


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def failure_of(error: BaseException, *, step: str, category: FailureCategory) -> Failure:
    """The failure that an entry's exception stands for; of a chain, the first cause is named.

    `category` is what the entry's failures are when the exception does not say.
    """
    root = _root(error)
    if isinstance(error, StepFailure):
        failure = error.failure
        if not error.has_category:
            failure = msgspec.structs.replace(failure, category=category)
        if root is not error:
            failure = msgspec.structs.replace(failure, facts={**failure.facts, "exception": _name(root)})
        if failure.cause or root is error:
            return failure
        return msgspec.structs.replace(failure, cause=_lines(root))
    text = str(root).strip()
    first = text.splitlines()[0] if text else "(no message)"
    if isinstance(root, MemoryError):
        category = "out_of_memory"
    hint = "give the step more memory: [step.NAME] memory_mib = ..." if category == "out_of_memory" else None
    return Failure(
        category=category,
        message=f"{step}: {type(root).__name__}: {first}",
        cause=_lines(root),
        hint=hint,
        facts={"exception": _name(root)},
    )


def _importable(filename: str) -> str:
    """A source file's path below the folder that Python imports it from: the same on every machine."""
    folders = sorted((f"{folder.rstrip('/')}/" for folder in sys.path if folder), key=len, reverse=True)
    return next((filename.removeprefix(folder) for folder in folders if filename.startswith(folder)), filename)


def _lines(error: BaseException) -> tuple[str, ...]:
    """The innermost frames as `file:line in function`, then the exception's own words; no absolute paths."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = [
        f"{_importable(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip(": ")
        for frame in frames
    ]
    return (*where, *(line.rstrip() for line in traceback.format_exception_only(error)))
