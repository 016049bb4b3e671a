"""From an exception to a failure with its first real error lines."""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Sequence

import msgspec
from bskernel_protocol import Failure

from bskernel_executors.sdk.culprit import culprit_of
from bskernel_executors.sdk.deciding import About, Raised, decide
from bskernel_executors.sdk.rules_file import Rule
from bskernel_executors.sdk.step import StepFailure

_FRAMES = 6
_OWN = "bskernel_executors/"
_LONGEST = 400  # characters of an exception's text in the failure's one sentence


def _chain(error: BaseException) -> tuple[BaseException, ...]:
    """The exception and what it was raised from, the first cause first."""
    chain = [error]
    while True:
        error = chain[-1]
        deeper = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if deeper is None or any(deeper is known for known in chain):
            return tuple(reversed(chain))
        chain.append(deeper)


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _raised(error: BaseException) -> Raised:
    where = ""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        where = f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_name}"
        trace = trace.tb_next
    return Raised(names=tuple(_name(kind) for kind in type(error).__mro__), text=str(error), raised_in=where)


def failure_of(
    error: BaseException, about: About, rules: Sequence[Rule] = (), memory_mib: int | None = None
) -> Failure:
    """The failure that an entry's exception stands for; of a chain, the first cause is named.

    `memory_mib` is the step's limit in MiB, if it has one.
    """
    chain = _chain(error)
    root = chain[0]
    if any(isinstance(link, MemoryError) for link in chain):
        return _out_of_memory(root, about, memory_mib)
    facts = {} if isinstance(root, StepFailure) else {"exception": _name(type(root))}
    if isinstance(error, StepFailure):
        cause = error.failure.cause or (() if root is error else _lines(root))
        failure = msgspec.structs.replace(error.failure, cause=cause, facts={**error.failure.facts, **facts})
        if error.has_category:
            return msgspec.structs.replace(failure, facts={**failure.facts, "decided_by": "step"})
    else:
        text = " ".join(str(root).split()) or "(no message)"
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
        failure = Failure(
            category=about.declared,
            message=f"{about.step}: {type(root).__name__}: {shown}",
            cause=_lines(root),
            facts=facts,
        )
    return decide(failure, about, [_raised(link) for link in chain], rules, culprit_of(root))


def _out_of_memory(root: BaseException, about: About, memory_mib: int | None) -> Failure:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    limit = f"its limit of {memory_mib} MiB" if memory_mib is not None else "what this machine has"
    facts = {"exception": _name(type(root)), "decided_by": "runtime", "peak_mib": peak}
    return Failure(
        category="out_of_memory",
        message=f"{about.step}: {type(root).__name__}: the step needs more memory than {limit}; it held {peak} MiB",
        cause=_lines(root),
        hint=f"raise memory_mib of step {about.step}"
        if memory_mib is not None
        else "close what else uses memory, or build on a larger machine",
        facts=facts if memory_mib is None else {**facts, "limit_mib": memory_mib},
    )


def _importable(filename: str) -> str:
    """A source file's path below the folder that Python imports it from: the same on every machine."""
    folders = sorted((f"{folder.rstrip('/')}/" for folder in sys.path if folder), key=len, reverse=True)
    return next((filename.removeprefix(folder) for folder in folders if filename.startswith(folder)), filename)


def _lines(error: BaseException) -> tuple[str, ...]:
    """The innermost frames as `file:line in function`, then the exception's own words; no absolute paths."""
    frames = [(frame, _importable(frame.filename)) for frame in traceback.extract_tb(error.__traceback__)]
    # How the executor came to call the library tells nobody anything; its own frames count where it fails itself.
    theirs = next((at for at, (_, path) in enumerate(frames) if not path.startswith(_OWN)), 0)
    where = [
        f"{path}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip(": ")
        for frame, path in frames[theirs:][-_FRAMES:]
    ]
    return (*where, *(line.rstrip() for line in traceback.format_exception_only(error)))
