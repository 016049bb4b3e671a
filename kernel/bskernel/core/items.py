"""The items of a step with `each`: the different folders of a tree, and their outputs as trees. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
from bskernel_protocol import Artifact, OutputDescription, TreeFile, TreeListing

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_BYTES = "application/octet-stream"
_LONGEST_NAME = 100  # characters: a step's folder is named by the step and the item


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Content that one or more folders of a tree have; `listing` has paths inside such a folder."""

    names: tuple[str, ...]  # of the folders, in order
    listing: TreeListing


def split_tree(listing: TreeListing) -> tuple[Item, ...]:
    """The different items of a tree, in order of their first folder; an empty tree has none.

    Raises ValueError for a file beside the folders, and for a folder's name that cannot name a step's folder.
    """
    folders: dict[str, list[TreeFile]] = {}
    for file in listing.files:
        name, slash, path = file.path.partition("/")
        if not slash:
            raise ValueError(f"{name!r} is a file: beside the folders of items there may be no files")
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise ValueError(
                f"{name!r} cannot name an item: at most {_LONGEST_NAME} letters, digits, dots, dashes, underscores"
            )
        folders.setdefault(name, []).append(msgspec.structs.replace(file, path=path))
    names: dict[tuple[TreeFile, ...], list[str]] = {}
    for name, files in folders.items():
        names.setdefault(tuple(files), []).append(name)
    return tuple(Item(names=tuple(equal), listing=TreeListing(files=files)) for files, equal in names.items())


def outputs_of_items(outputs: Sequence[OutputDescription]) -> tuple[OutputDescription, ...]:
    """What a step with `each` makes, given what its entry makes: trees with a folder per item."""
    return tuple(msgspec.structs.replace(output, kind="tree", media_type=_BYTES) for output in outputs)


def join_outputs(
    made: Mapping[str, Sequence[Artifact]], listing_of: Callable[[Artifact], TreeListing]
) -> dict[str, TreeListing]:
    """Output name -> a tree with a folder per item, given the outputs by item.

    The folder holds what a tree holds, or the file under the output's name. An output that no item made has no tree.
    """
    files: dict[str, list[TreeFile]] = {}
    for item, artifacts in made.items():
        for artifact in artifacts:
            into = files.setdefault(artifact.name, [])
            if artifact.kind == "file":
                into.append(TreeFile(path=f"{item}/{artifact.name}", digest=artifact.digest))
                continue
            into += [msgspec.structs.replace(file, path=f"{item}/{file.path}") for file in listing_of(artifact).files]
    return {
        name: TreeListing(files=tuple(sorted(found, key=lambda file: file.path))) for name, found in files.items()
    }
