"""Identifies an install by the version and build that it reports, and by a fingerprint of its files.

An install can have 100 GB, so only names and sizes of libraries are hashed, and the bytes of small programs and
patches. A patch or an update changes the fingerprint; paths and times do not.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.tool import ToolInstall
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import read_plain
from bskernel.tools.known import KnownTool, known_tools

_SMALL = 64 * 1024
_LARGEST = 1 << 20  # bytes of a saved report
_QUERY_S = 120
_VERSION = re.compile(r"^(?P<product>[^\n]*?) v(?P<version>\d{4}\.\d+(?:\.\d+)?)", re.MULTILINE)
_BUILD = re.compile(r"SW Build:? (\d+)")
_IN_PATH = re.compile(r"\d{4}\.\d+(?:\.\d+)?")
_UNKNOWN_BUILD = "unknown"
_DIGEST = re.compile(r"[0-9a-f]+")


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the install with a fingerprint reported, saved so that it runs once; `root` is its last known path."""

    product: str
    version: str
    build: str
    root: str


def locate(tool: str, path: Path) -> Path | None:
    """The install's root: `path` or a folder in it, in either layout; None when there is no install."""
    known = known_tools()[tool]
    for root in (path, *(path / folder for folder in known.folders)):
        if any((root / program).is_file() for program in known.programs):
            return root.resolve()
    return None


def _files(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        for parent, inner, names in os.walk(root / folder):
            inner.sort()
            links = [name for name in inner if Path(parent, name).is_symlink()]
            for name in sorted([*names, *links]):
                yield Path(parent, name)


def _content(path: Path, own: bytes, *, read: bool) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    size = path.stat().st_size
    return path.read_bytes().replace(own, b"") if read and size <= _SMALL else b"%d bytes" % size


def fingerprint(root: Path, known: KnownTool) -> str:
    """A digest of names, sizes, link targets, and the bytes of small files without the root's own path.

    Raises EnvironmentLacking when a file cannot be read.
    """
    digest = hashlib.sha256()
    own = os.fsencode(root)
    try:
        for folders, read in ((known.listed, False), (known.read, True)):
            for path in _files(root, folders):
                for part in (os.fsencode(path.relative_to(root)), _content(path, own, read=read)):
                    digest.update(b"%d:" % len(part))
                    digest.update(part)
    except OSError as error:
        raise EnvironmentLacking(f"cannot read {error.filename or root}: {error.strerror}") from error
    return digest.hexdigest()


def _query(tool: str, root: Path, cache: Path) -> _Report:
    """Run the tool with -version; if that fails, take the version from its path. Raises EnvironmentLacking."""
    import subprocess
    import tempfile

    program = next(root / name for name in known_tools()[tool].programs if (root / name).is_file())
    output = ""
    scratch = cache if os.access(cache, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=scratch, suffix=mark()) as home:
        variables = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                [str(program), "-version"],
                env=variables,
                cwd=home,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_QUERY_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            output = done.stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            output = ""
            reason = str(error)
        else:
            reason = done.stderr.strip()[-200:] or f"exit code {done.returncode}"
    version, build = _VERSION.search(output), _BUILD.search(output)
    if version is not None:
        product = version["product"].strip(" *#").partition(" - ")[0]
        return _Report(
            product="Vivado" if product == "vivado" else product,  # 2024.1 writes it in lower case
            version=version["version"],
            build=build.group(1) if build is not None else _UNKNOWN_BUILD,
            root=str(root),
        )
    named = [part for part in reversed(root.parts) if _IN_PATH.fullmatch(part)]
    if not named:
        raise EnvironmentLacking(
            f"{program} -version does not print a version: {reason}",
            hint="run it by hand; for a folder named after its version, that version is used",
        )
    return _Report(product=tool, version=named[0], build=_UNKNOWN_BUILD, root=str(root))


def _saved(path: Path) -> _Report:
    """A report that was saved in the cache. Raises ValueError, RecursionError when it is missing or damaged."""
    return msgspec.json.decode(read_plain(path, _LARGEST) or b"", type=_Report)


def _recall_or_query(tool: str, root: Path, digest: str, cache: Path) -> _Report:
    path = cache / "tools" / f"{tool}-{digest}.json"
    saved: _Report | None
    try:
        saved = _saved(path)
    except (ValueError, RecursionError):
        saved = None
    # An install that could not run is queried again: what it lacked may have been installed since.
    stale = saved is None or saved.build == _UNKNOWN_BUILD
    report = _query(tool, root, cache) if stale or saved is None else msgspec.structs.replace(saved, root=str(root))
    if report != saved:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}{mark()}")
        temporary.write_bytes(msgspec.json.encode(report))
        temporary.replace(path)
    return report


def identify(tool: str, path: Path, cache: Path, where: str) -> ToolInstall:
    """The install at `path`. Raises EnvironmentLacking, prefixed by `where`, if it is missing or has no version."""
    root = locate(tool, path)
    known = known_tools()[tool]
    if root is None:
        raise EnvironmentLacking(
            f"{where}: no {tool} in {path}: neither {' nor '.join(known.programs)} exists",
            hint="name the folder that contains bin, e.g. /opt/Xilinx/Vivado/2024.2 or /opt/Xilinx/2025.1/Vivado;"
            " `bskernel doctor` lists installs",
        )
    digest = fingerprint(root, known)
    report = _recall_or_query(tool, root, digest, cache)
    return ToolInstall(
        tool=tool,
        product=report.product,
        version=report.version,
        build=report.build,
        fingerprint=digest,
        root=root,
        beside=folders_beside(root, known),
    )


def folders_beside(root: Path, known: KnownTool) -> tuple[Path, ...]:
    """Folders next to the install, in either layout: ROOT/SharedData/VERSION, ROOT/VERSION/SharedData."""
    return tuple(sorted(_beside(root, known)))


def _beside(root: Path, known: KnownTool) -> Iterator[Path]:
    for name in known.beside:
        for folder in (root.parent / name, root.parent.parent / name / root.name):
            if folder.is_dir():
                yield folder.resolve()


def find_again(tool: str, identity: str, cache: Path) -> ToolInstall:
    """The install that a manifest names, at its last known path. Raises EnvironmentLacking if it has changed.

    A manifest may be anybody's: it names no file outside the cache, and an install that has changed is not run.
    """
    digest = identity.rpartition(" ")[2]
    if tool not in known_tools() or not _DIGEST.fullmatch(digest):
        raise EnvironmentLacking(f"that step names no known tool: {tool!r}, {identity!r}")
    path = cache / "tools" / f"{tool}-{digest}.json"
    try:
        root = Path(_saved(path).root)
        install = identify(tool, root, cache, str(root)) if fingerprint(root, known_tools()[tool]) == digest else None
    except (OSError, ValueError, RecursionError, EnvironmentLacking) as error:
        raise EnvironmentLacking(f"the {tool} of that step, {identity}, is not on this machine") from error
    if install is None or install.identity != identity:
        raise EnvironmentLacking(f"{root} is now another install, not the {tool} of that step: {identity}")
    return install
