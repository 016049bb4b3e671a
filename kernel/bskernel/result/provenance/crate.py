"""The metadata of a build as an RO-Crate of the Workflow Run profile. Pure.

Sources: https://www.researchobject.org/ro-crate/specification/1.1 and
https://www.researchobject.org/workflow-run-crate (profiles Process Run Crate and Workflow Run Crate 0.5). The
workflow is build.lock: what was planned from what was given. The build is one action, with the given files and the
artifacts as objects and results. The build directory lies one level down, because a file beside its own would be one
that no build wrote.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from bskernel.lock.build_lock import BuildLock

METADATA, README = "ro-crate-metadata.json", "README.md"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# Terms that the context of 1.1 lacks, by the IRIs that the profile's own context gives them.
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_BIOSCHEMAS = "https://bioschemas.org/profiles"
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".lock": "application/json",
    ".msgpack": "application/msgpack",
    ".md": "text/markdown",
    ".txt": "text/plain",
}
_OCTETS = "application/octet-stream"
_BSKERNEL = "urn:bskernel:release"
_EXECUTOR = "urn:bskernel:executor:"  # and NAME@VERSION
_NO_LICENCE = "Its author has not said under which licence this build may be used."


class HeldFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a build directory."""

    sha256: str
    size: int  # bytes


class HeldData(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went into a build or came out of it, and where it lies in the build directory, if it does."""

    name: str
    kind: str  # file or tree
    sha256: str  # of a tree: of its listing
    media_type: str | None = None
    place: str | None = None


class BuildRun(msgspec.Struct, frozen=True, kw_only=True):
    """How a build ended."""

    status: str
    problem: str | None = None  # why it did not end well
    started: str | None = None  # ISO 8601, with milliseconds and offset
    ended: str


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """Another entity of the metadata."""

    id: str = msgspec.field(name="@id")


# One entity stands alone, as the specification recommends, and none is left out.
Refs = Ref | tuple[Ref, ...] | None


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A thing that the metadata describes, by properties of schema.org."""

    id: str = msgspec.field(name="@id")
    type: str | tuple[str, ...] = msgspec.field(name="@type")
    name: str = ""
    description: str = ""
    version: str = ""
    additional_type: str = ""
    encoding_format: str = ""
    content_size: str = ""
    sha256: str = ""
    value: str = ""
    date_published: str = ""
    license: str = ""
    software_version: str = ""
    start_time: str = ""
    end_time: str = ""
    error: str = ""
    about: Ref | None = None
    agent: Ref | None = None
    action_status: str = ""
    conforms_to: Refs = None
    example_of_work: Ref | None = None
    has_part: Refs = None
    input: Refs = None
    instrument: Ref | None = None
    main_entity: Ref | None = None
    mentions: Refs = None
    object: Refs = None
    output: Refs = None
    programming_language: Ref | None = None
    result: Refs = None
    url: str = ""
    work_example: Refs = None


class CrateMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in ro-crate-metadata.json."""

    context: tuple[Any, ...] = msgspec.field(name="@context")
    graph: tuple[Entity, ...] = msgspec.field(name="@graph")


def make_crate(
    lock: BuildLock,
    run: BuildRun,
    files: Mapping[str, HeldFile],
    inputs: tuple[HeldData, ...],
    outputs: tuple[HeldData, ...],
    *,
    workflow: str,
) -> CrateMetadata:
    """The metadata of a crate with a build directory in the folder of the build's name.

    `files` are all files of the directory by their paths in it, and `workflow` is the one of the lock.
    """
    folder = quote(f"{lock.label}/")
    given = tuple(_Slot("input", one, folder) for one in inputs)
    made = tuple(_Slot("output", one, folder) for one in outputs)
    of_data = {slot.data_id: slot for slot in (*given, *made)}
    paths = {_id(folder, path): file for path, file in files.items()}
    trees = {slot.data_id for slot in of_data.values() if slot.is_folder}
    main = _id(folder, workflow)
    executors = tuple(
        Entity(
            id=f"{_EXECUTOR}{name}",
            type="SoftwareApplication",
            name=name.partition("@")[0],
            software_version=name.partition("@")[2],
            sha256=parts.digest,
        )
        for name, parts in sorted(lock.executors.items())
    )
    of_run = Entity(
        id="#build",
        type="CreateAction",
        name=f"Build of {lock.name}",
        description=f"bskernel {lock.bskernel.version} ran the {len(lock.flow)} locked steps of {lock.name}",
        instrument=_ref(main),
        action_status="http://schema.org/" + ("Completed" if run.status == "ok" else "Failed") + "ActionStatus",
        error=run.problem or "",
        start_time=run.started or "",
        end_time=run.ended,
        object=_refs(*(slot.data_id for slot in given)),
        result=_refs(*(slot.data_id for slot in made)),
    )
    data = [_file(path, file, of_data.get(path)) for path, file in sorted(paths.items()) if path != main]
    data += [_folder(slot, paths) for path, slot in sorted(of_data.items()) if path in trees]
    values = [slot.value for slot in of_data.values() if slot.data.place is None]
    return CrateMetadata(
        context=(_CONTEXT, _TERMS),
        graph=(
            Entity(
                id=METADATA,
                type="CreativeWork",
                about=_ref("./"),
                conforms_to=_refs("https://w3id.org/ro/crate/1.1", _WORKFLOW_CRATE),
            ),
            Entity(
                id="./",
                type="Dataset",
                name=f"Build of {lock.name}",
                description=f"The network {lock.model}, built by bskernel, with its build directory in {folder}",
                date_published=run.ended,
                license=_NO_LICENCE,
                conforms_to=_refs(*_PROFILES),
                has_part=_refs(README, folder, main),
                main_entity=_ref(main),
                mentions=_ref(of_run.id),
            ),
            *(
                Entity(id=url, type="CreativeWork", name=name, version=version)
                for url, (name, version) in _PROFILES.items()
            ),
            Entity(
                id=README,
                type="File",
                name=README,
                encoding_format=_TYPES[".md"],
                content_size=str(len(make_readme(lock).encode())),
                about=_ref("./"),
            ),
            Entity(
                id=folder,
                type="Dataset",
                name=lock.name,
                description="The build directory: bskernel verify takes it",
                has_part=_refs(*sorted({*paths, *trees} - {main})),
            ),
            Entity(
                id=main,
                type=("File", "SoftwareSourceCode", "ComputationalWorkflow"),
                name=f"Locked steps of {lock.name}",
                description="The steps as planned, with their parameters, and the digests of all that decides them",
                version=str(lock.format),
                encoding_format="application/json",
                content_size=str(paths[main].size),
                sha256=paths[main].sha256,
                programming_language=_ref(_BSKERNEL),
                conforms_to=_ref(f"{_BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"),
                input=_refs(*(slot.parameter_id for slot in given)),
                output=_refs(*(slot.parameter_id for slot in made)),
                has_part=_refs(*(entity.id for entity in executors)),
            ),
            Entity(
                id=_BSKERNEL,
                type=("ComputerLanguage", "SoftwareApplication"),
                name="bskernel",
                software_version=lock.bskernel.version,
                description=f"commit {lock.bskernel.commit}" if lock.bskernel.commit is not None else "",
            ),
            of_run,
            *executors,
            *(slot.parameter for slot in (*given, *made)),
            *data,
            *values,
        ),
    )


def make_readme(lock: BuildLock) -> str:
    """What stands beside the metadata for people."""
    return (
        f"# Build of {lock.name}\n\n"
        f"The folder `{lock.label}` is what bskernel {lock.bskernel.version} made of `{lock.model}`.\n"
        f"With the same release, this checks every file in it, and builds it again to compare:\n\n"
        f"    bskernel verify {shlex.quote(lock.label)}\n\n"
        f"`{METADATA}` describes it for other tools (RO-Crate, profile Workflow Run Crate).\n"
    )


class _Slot:
    """An input or output of the workflow, and the data of this run that fills it."""

    def __init__(self, side: str, data: HeldData, folder: str) -> None:
        self.data = data
        self.parameter_id = f"#{side}/{quote(data.name)}"
        self.is_folder = data.place is not None and data.kind == "tree"
        if data.place is None:
            self.data_id = f"#{side}-value/{quote(data.name)}"
        else:
            self.data_id = _id(folder, data.place) + ("/" if self.is_folder else "")

    @property
    def parameter(self) -> Entity:
        return Entity(
            id=self.parameter_id,
            type="FormalParameter",
            name=self.data.name,
            additional_type="Text" if self.data.place is None else "Dataset" if self.is_folder else "File",
            encoding_format=self.data.media_type or "",
            conforms_to=_ref(f"{_BIOSCHEMAS}/FormalParameter/1.0-RELEASE"),
            work_example=_ref(self.data_id),
        )

    @property
    def value(self) -> Entity:
        """What is known of data that is not in the crate: its digest."""
        return Entity(
            id=self.data_id,
            type="PropertyValue",
            name=self.data.name,
            value=f"sha256:{self.data.sha256}",
            description="not in the crate: its SHA-256",
            example_of_work=_ref(self.parameter_id),
        )


def _file(path: str, file: HeldFile, slot: _Slot | None) -> Entity:
    suffix = path[path.rfind(".") :] if "." in path.rpartition("/")[2] else ""
    media_type = slot.data.media_type if slot is not None else None
    return Entity(
        id=path,
        type="File",
        name=path.rpartition("/")[2],
        encoding_format=media_type or _TYPES.get(suffix, _OCTETS),
        content_size=str(file.size),
        sha256=file.sha256,
        example_of_work=_ref(slot.parameter_id) if slot is not None else None,
    )


def _folder(slot: _Slot, paths: Mapping[str, HeldFile]) -> Entity:
    return Entity(
        id=slot.data_id,
        type="Dataset",
        name=slot.data.name,
        has_part=_refs(*(path for path in sorted(paths) if path.startswith(slot.data_id))),
        example_of_work=_ref(slot.parameter_id),
    )


def _id(folder: str, path: str) -> str:
    """A path as the specification writes it: relative to the crate, and percent-encoded."""
    return folder + quote(path)


def _ref(name: str) -> Ref:
    return Ref(id=name)


def _refs(*names: str) -> Refs:
    return _ref(names[0]) if len(names) == 1 else tuple(map(_ref, names)) or None
