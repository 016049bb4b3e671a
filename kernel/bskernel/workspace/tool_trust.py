"""Which tools a project may name without a question, and what identifies one that the user was asked about."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bskernel.core.errors import ConfigError
from bskernel.tools import known_tools
from bskernel.tools.discovery import ROOTS, named_installs
from bskernel.tools.identity import fingerprint, folders_beside, locate
from bskernel.workspace.trust_request import TrustRequest

_MOST_FILES, _MOST_BYTES = 20_000, 1 << 30


def tool_request(
    tool: str, path: Path, key: str, project: Path, environment: Mapping[str, str]
) -> TrustRequest | None:
    """What the tool at a path that a project's file names needs; None for one in a known place, or for none at all.

    Known places are those where AMD's installer puts tools, and the installs that the environment names. A tool in
    the project's own folder is in no known place. Raises ConfigError for one that is too large to be looked at.
    """
    root = locate(tool, path)
    if root is None:
        return None
    inside = root.is_relative_to(project.resolve())
    if not inside and (_is_in_known_place(path, root) or root in named_installs(tool, environment)):
        return None
    known = known_tools()[tool]
    parts = [_content(root, key) if inside else fingerprint(root, known)]
    parts += [str(folder) for folder in folders_beside(root, known)]
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
    return TrustRequest(kind="tool", key=key, value=str(path), target=str(root), digest=digest)


def tool_key(key: str) -> tuple[str, ...]:
    """The parts of a key as an error shows it: tools.NAME.path, or tools.NAME.versions."2022.2"."""
    head, _, version = key.partition('.versions."')
    return (*head.split("."), "versions", version.rstrip('"')) if version else tuple(head.split("."))


def _is_in_known_place(path: Path, root: Path) -> bool:
    # An administrator's links in these places may lead elsewhere; a project's path back out of them may not.
    return any(
        root.is_relative_to(place.resolve()) or (".." not in path.parts and path.is_relative_to(place))
        for place in ROOTS
    )


def _content(root: Path, key: str) -> str:
    """The digest of all names, modes, links and bytes of a folder. Follows no link."""
    digest = hashlib.sha256()
    count = size = 0
    for path in _files(root):
        status = path.lstat()
        count, size = count + 1, size + status.st_size
        if count > _MOST_FILES or size > _MOST_BYTES:
            raise ConfigError(
                f"{key}: {root} is in the project's folder and too large to be compared with what you trusted",
                hint="move the tool out of the project's folder",
            )
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        for part in (os.fsencode(path.relative_to(root)), b"%o" % status.st_mode, content):
            digest.update(b"%d:" % len(part))
            digest.update(part)
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root):
        folders.sort()
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(parent, name)
