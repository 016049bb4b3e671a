"""What an install is: its version and build as it says them, and a fingerprint of its files.

An install has a hundred gigabytes: of its libraries the names and sizes are hashed, of small programs and patches the
bytes too. A patch or an update changes them; the path does not matter, nor do times.
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
from bskernel.tools.known import KnownTool, known_tools

_SMALL = 64 * 1024
_ASK_S = 120
_VERSION = re.compile(r"^(?P<product>[^\n]*?) v(?P<version>\d{4}\.\d+(?:\.\d+)?)", re.MULTILINE)
_BUILD = re.compile(r"SW Build:? (\d+)")
_IN_PATH = re.compile(r"\d{4}\.\d+(?:\.\d+)?")
_UNKNOWN_BUILD = "unknown"


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an install of a fingerprint said of itself, kept so that it is asked once; `root` is where it lay."""

    product: str
    version: str
    build: str
    root: str


def locate(tool: str, path: Path) -> Path | None:
    """The install's root, when it is `path` or lies in it, in either layout."""
    known = known_tools()[tool]
    for root in (path, *(path / folder for folder in known.folders)):
        if any((root / program).is_file() for program in known.programs):
            return root.resolve()
    return None


def _files(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        for place, inner, names in os.walk(root / folder):
            inner.sort()
            links = [name for name in inner if Path(place, name).is_symlink()]
            for name in sorted([*names, *links]):
                yield Path(place, name)


def _content(path: Path, own: bytes, *, read: bool) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    size = path.stat().st_size
    return path.read_bytes().replace(own, b"") if read and size <= _SMALL else b"%d bytes" % size


def fingerprint(root: Path, known: KnownTool) -> str:
    """A digest of names and sizes, links' targets, and small files' bytes with the root's own path left out.

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
        raise EnvironmentLacking(f"{error.filename or root}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _ask(tool: str, root: Path) -> _Said:
    """Run it with -version; where it does not run, its version is the one in its path."""
    import subprocess
    import tempfile

    program = next(root / name for name in known_tools()[tool].programs if (root / name).is_file())
    said = ""
    with tempfile.TemporaryDirectory() as home:
        variables = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}
        try:
            done = subprocess.run(
                [str(program), "-version"],
                env=variables,
                cwd=home,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ASK_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            said = done.stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            said = ""
            reason = str(error)
        else:
            reason = done.stderr.strip()[-200:] or f"exit code {done.returncode}"
    version, build = _VERSION.search(said), _BUILD.search(said)
    if version is not None:
        product = version["product"].strip(" *#").partition(" - ")[0]
        return _Said(
            product="Vivado" if product == "vivado" else product,  # 2024.1 writes it small
            version=version["version"],
            build=build.group(1) if build is not None else _UNKNOWN_BUILD,
            root=str(root),
        )
    named = [part for part in reversed(root.parts) if _IN_PATH.fullmatch(part)]
    if not named:
        raise EnvironmentLacking(
            f"{program} -version does not say a version: {reason}",
            hint="run it by hand; an install whose folder is named for its version needs not be asked",
        )
    return _Said(product=tool, version=named[0], build=_UNKNOWN_BUILD, root=str(root))


def _said(tool: str, root: Path, digest: str, cache: Path) -> _Said:
    path = cache / "tools" / f"{tool}-{digest}.json"
    before: _Said | None
    try:
        before = msgspec.json.decode(path.read_bytes(), type=_Said)
    except (OSError, msgspec.DecodeError):
        before = None
    # One that could not run is asked again: what it lacked may have been installed since.
    asked = before is None or before.build == _UNKNOWN_BUILD
    said = _ask(tool, root) if asked or before is None else msgspec.structs.replace(before, root=str(root))
    if said != before:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(said))
        temporary.replace(path)
    return said


def identify(tool: str, path: Path, cache: Path, where: str) -> ToolInstall:
    """The install at `path`. Raises EnvironmentLacking, naming `where`, when there is none or it says no version."""
    root = locate(tool, path)
    known = known_tools()[tool]
    if root is None:
        raise EnvironmentLacking(
            f"{where}: there is no {tool} in {path}: neither {' nor '.join(known.programs)}",
            hint="name the folder that holds bin, such as /opt/Xilinx/Vivado/2024.2 or /opt/Xilinx/2025.1/Vivado;"
            " `bskernel doctor` lists the installs that it finds",
        )
    digest = fingerprint(root, known)
    said = _said(tool, root, digest, cache)
    return ToolInstall(
        tool=tool,
        product=said.product,
        version=said.version,
        build=said.build,
        fingerprint=digest,
        root=root,
        beside=tuple(sorted(_beside(root, known))),
    )


def _beside(root: Path, known: KnownTool) -> Iterator[Path]:
    """Folders next to the install, in either layout: ROOT/SharedData/VERSION, ROOT/VERSION/SharedData."""
    for name in known.beside:
        for folder in (root.parent / name, root.parent.parent / name / root.name):
            if folder.is_dir():
                yield folder.resolve()


def find_again(tool: str, identity: str, cache: Path) -> ToolInstall:
    """The install that a manifest names, where it lay last. Raises EnvironmentLacking when it is another one now."""
    path = cache / "tools" / f"{tool}-{identity.rpartition(' ')[2]}.json"
    try:
        root = Path(msgspec.json.decode(path.read_bytes(), type=_Said).root)
        install = identify(tool, root, cache, str(root))
    except (OSError, msgspec.DecodeError, EnvironmentLacking) as error:
        raise EnvironmentLacking(f"the {tool} of that step, {identity}, is not on this machine") from error
    if install.identity != identity:
        raise EnvironmentLacking(f"{root} is {install.label} now, not the {tool} of that step")
    return install
