"""Resolves a step's inputs: artifacts of earlier steps and files of the user."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from bskernel_protocol import Artifact, Digest, TreeFile, TreeListing, canonical_bytes
from bskernel_protocol.layout import LOG_LARGEST

from bskernel.core.action import ActionResult
from bskernel.core.interfaces import OutputViolation, Store
from bskernel.core.log_lines import tidy_known_log
from bskernel.core.step import FromFile, FromFiles, FromStep, Step

_BYTES = "application/octet-stream"


class InputMissing(Exception):  # noqa: N818 - reported as a failure of the step
    """An input file cannot be read."""


def read_log(log: Digest | None, store: Store) -> bytes:
    """The log of a recalled step; empty when the store does not have it, or only one that no step can have."""
    known = store.get(log) if log is not None and 0 < log.size <= LOG_LARGEST else None
    return tidy_known_log(known) if known is not None else b""


def resolve_inputs(step: Step, made: Mapping[str, ActionResult], store: Store) -> dict[str, Artifact]:
    """The step's input artifacts; files of the user are captured. Raises InputMissing."""
    inputs: dict[str, Artifact] = {}
    for name, source in step.inputs.items():
        if not isinstance(source, FromStep):
            artifact = capture_given(name, source, store)
        else:
            output = made[source.step].output(source.output)
            if output is None:
                continue
            artifact = output
        inputs[name] = _named(name, artifact)
    return inputs


class ResolvedInputs(msgspec.Struct, frozen=True, kw_only=True):
    """A step's inputs. After a failure, `partial` says which are outdated or missing."""

    inputs: dict[str, Artifact]
    partial: tuple[str, ...] = ()


def resolve_partial_inputs(
    step: Step, made: Mapping[str, ActionResult], store: Store, required: frozenset[str]
) -> ResolvedInputs | None:
    """The inputs that exist after a failure; the newest earlier output of the same name replaces a missing one.

    None when a required input is missing.
    Raises InputMissing.
    """
    inputs: dict[str, Artifact] = {}
    partial: list[str] = []
    for name, source in step.inputs.items():
        if not isinstance(source, FromStep):
            inputs[name] = _named(name, capture_given(name, source, store))
            continue
        if source.step in made:
            output = made[source.step].output(source.output)
            if output is not None:
                inputs[name] = _named(name, output)
            continue
        older = [(maker, output) for maker, result in made.items() if (output := result.output(source.output))]
        if older:
            inputs[name] = _named(name, older[-1][1])
            partial.append(f"{name} is that of {older[-1][0]}: {source.step} did not produce it")
        elif name in required:
            return None
        else:
            partial.append(f"{name} is missing: {source.step} did not produce it")
    return ResolvedInputs(inputs=inputs, partial=tuple(partial))


def capture_given(name: str, source: FromFile | FromFiles, store: Store) -> Artifact:
    """Store what the user gives a step: a file, a folder, or some files of one. Raises InputMissing."""
    path = source.path if isinstance(source, FromFile) else source.folder
    try:
        if isinstance(source, FromFile):
            # A link that the user names is followed; the store itself refuses links.
            file = source.path.resolve() if source.kind == "file" else source.path
            return store.observe(file, name, source.kind, _BYTES)
        digests = {
            file: store.observe((source.folder / file).resolve(), file, "file", _BYTES).digest
            for file in source.names
        }
    except (OSError, OutputViolation) as error:
        raise InputMissing(f"input {name!r}: {path}: {error}") from error
    listing = TreeListing(files=tuple(TreeFile(path=file, digest=digests[file]) for file in sorted(digests)))
    return Artifact(name=name, kind="tree", digest=store.put(canonical_bytes(listing)), media_type=_BYTES)


def _named(name: str, artifact: Artifact) -> Artifact:
    return msgspec.structs.replace(artifact, name=name)
