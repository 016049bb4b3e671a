"""The edits of FINN's RTL library for Lattice's devices, as edits.toml lists them. Pure, but for reading it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bskernel_executors.sdk import StepFailure


class LibraryEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exact edit of a file of the library: `find` occurs once. It is made if all of `when` are chosen."""

    file: str
    find: str
    replace: str
    reason: str
    when: dict[str, str] = {}


class _EditFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    edit: tuple[LibraryEdit, ...]


@functools.cache
def read_edits() -> tuple[LibraryEdit, ...]:
    """Read edits.toml."""
    return msgspec.toml.decode(Path(__file__).with_name("edits.toml").read_bytes(), type=_EditFile).edit


def edit_library(name: str, text: str, chosen: Mapping[str, str]) -> str:
    """Make the edits of the file of that name. `chosen` are the parameters' values, and the family.

    Raises StepFailure (executor) when the library has another text.
    """
    for edit in read_edits():
        if edit.file == name and all(chosen[key] == value for key, value in edit.when.items()):
            if text.count(edit.find) != 1:
                raise StepFailure(
                    category="executor",
                    message=f"{name} has {edit.find!r} {text.count(edit.find)} times, not once, so it is not edited",
                    hint="the edits are for the RTL library of FINN+ 1.6.1",
                )
            text = text.replace(edit.find, edit.replace)
    return text
