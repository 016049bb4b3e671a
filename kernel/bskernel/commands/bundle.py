"""Packs a build for a bug report: configuration, results, logs and facts about the machine, without private data."""

from __future__ import annotations

import getpass
import gzip
import io
import json
import os
import platform
import socket
import tarfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import PROTOCOL_VERSION, Artifact, StepManifest, TreeListing, decode_document, pretty_json
from bskernel_protocol.controls import escape_json_bytes

from bskernel.commands.doctor import Diagnosis
from bskernel.core.errors import ConfigError
from bskernel.core.interfaces import Store
from bskernel.core.redaction import Redactor, secrets_in
from bskernel.core.visible_text import visible
from bskernel.plan.inputs import EXTERNAL_DATA, MODEL
from bskernel.result.build_directory import CONFIG, FAILURE, RESULT, BuildDirectory
from bskernel.result.output_folder import read_plain_file

_LARGEST = 4 << 20  # bytes of one log; a longer one is cut to its end
_COMMON_USERS = frozenset({"root", "user", "ubuntu", "runner"})  # identify nobody
_REPORTS = ("*.rpt", "*.log", "*.xml", "*.tcl", "*.json")  # the scripts and reports of Vivado
_LEFT_OUT = "The only artifacts in it are the reports and scripts of Vivado."


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of the archive, its files with their sizes, and kinds of redacted text with their counts."""

    data: bytes
    files: dict[str, int]
    redacted: dict[str, int]


def make_redactor(build: Path | None, cache: Path, root: Path, more: Iterable[str] = ()) -> Redactor:
    """Make a redactor for this machine, this user, the secrets in the environment, and the texts `more`."""
    home, host, user = str(Path.home()), socket.gethostname(), getpass.getuser()
    names = {str(cache): "<cache>", str(root): "<bskernel>"} | ({str(build): "<build>"} if build is not None else {})
    names |= {home: "~", host: "<host>", host.partition(".")[0]: "<host>"}
    if user not in _COMMON_USERS:
        names[user] = "<user>"
    return Redactor(names, [*secrets_in(os.environ), *more])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def machine_facts(diagnosis: Diagnosis) -> dict[str, Any]:
    """Versions, and the output of doctor without what changes from call to call."""
    facts: dict[str, Any] = json.loads(pretty_json(diagnosis))
    for changing in ("room", "recipes"):
        del facts[changing]
    return facts | {
        "bskernel": _version("bskernel"),
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("msgspec", "docker", "click", "uv")},
        "executors": {
            state.name: {"digest": state.digest, "environment": state.environment, "image": state.image}
            for state in diagnosis.recipes
        },
        "variables": sorted(name for name in os.environ if name.startswith(("BSKERNEL_", "XILINX", "LM_LICENSE"))),
    }


def collect_files(build: Path | None, facts: Mapping[str, Any], redactor: Redactor) -> dict[str, bytes]:
    """The redacted files of the bundle; without a build, only machine.json.

    Raises ConfigError if the folder is not a build directory.
    """
    files = {"machine.json": redactor.json(pretty_json(facts).encode())}
    return files if build is None else files | _build_files(build, redactor)


def _build_files(build: Path, redactor: Redactor) -> dict[str, bytes]:
    if not (build / "steps").is_dir() and not (build / RESULT).is_file():
        raise ConfigError(f"{build}: not a build directory", hint="give a directory that `bskernel run` wrote")
    files: dict[str, bytes] = {}
    for name in (RESULT, CONFIG, "metrics.json"):
        if (data := read_plain_file(build / name, build)) is not None:
            files[name] = redactor.json(data)
    if (data := read_plain_file(build / FAILURE, build)) is not None:
        files[FAILURE] = redactor.text(data.decode("utf-8", "replace")).encode()
    for log in [build / "log.jsonl", *sorted((build / "steps").glob("*/log.jsonl"))]:
        if (data := _end_of(log, build)) is not None:
            files[log.relative_to(build).as_posix()] = redactor.json_lines(data)
    for folder, manifest in BuildDirectory(build).manifests():
        if read_plain_file(folder / "manifest.msgpack", build) is None:
            continue
        files[f"steps/{folder.name}/manifest.json"] = redactor.json(pretty_json(manifest).encode())
    places = ("vivado*", "out_of_context", "output/report", "state/vivado_*proj_*")
    found = {
        path for kind in _REPORTS for place in places for path in (build / "artifacts").glob(f"{place}/**/{kind}")
    }
    for report in sorted(found):
        if (data := _end_of(report, build)) is not None:
            files[report.relative_to(build).as_posix()] = redactor.text(data.decode("utf-8", "replace")).encode()
    return {path: _harmless(path, data) for path, data in files.items()}


def _harmless(path: str, data: bytes) -> bytes:
    """A file that people `cat`: nothing in it is obeyed by a terminal."""
    if path.endswith((".json", ".jsonl")):
        return escape_json_bytes(data)
    return visible(data.decode("utf-8", "replace")).encode()


def _end_of(path: Path, build: Path) -> bytes | None:
    """The last lines of a file of the build; None for a link, which could be to any file of the user's."""
    data = read_plain_file(path, build, _LARGEST + 1)
    if data is None or len(data) <= _LARGEST:
        return data
    return data[-_LARGEST:].partition(b"\n")[2]


def find_model(build: Path, store: Store) -> dict[str, bytes] | None:
    """The model that the build started with, the input of its first step, and its external data: path -> bytes.

    None if they are not all in the store.
    """
    manifests = [manifest for _, manifest in BuildDirectory(build).manifests()]
    model = next((found for manifest in manifests if (found := _input(manifest, MODEL)) is not None), None)
    if model is None or (data := store.get(model.digest)) is None:
        return None
    of_model = [manifest for manifest in manifests if _input(manifest, MODEL) == model]
    external = next((found for manifest in of_model if (found := _input(manifest, EXTERNAL_DATA)) is not None), None)
    if external is None:
        return {"model.onnx": data}
    listing = store.get(external.digest)
    tree = decode_document(listing) if listing is not None else None
    if not isinstance(tree, TreeListing):
        return None
    # Beside the model, where it looks for them.
    files = {"model/model.onnx": data}
    for file in tree.files:
        held = store.get(file.digest)
        if held is None:
            return None
        files[f"model/{file.path}"] = held
    return files


def _input(manifest: StepManifest, name: str) -> Artifact | None:
    return next((artifact for artifact in manifest.inputs if artifact.name == name), None)


def pack(files: Mapping[str, bytes], redactor: Redactor, *, name: str, model: Mapping[str, bytes] | None) -> Bundle:
    """Pack files into one archive; the same files give the same bytes: names are sorted, times and owners fixed."""
    redacted = {kind: count for kind, count in sorted(redactor.counts.items()) if count}
    held = {**files, **(model or {})}
    held["CONTENTS.txt"] = _contents(held, redacted, with_model=model is not None).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(held):
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size, info.mode, info.mtime = len(held[path]), 0o644, 0
            tar.addfile(info, io.BytesIO(held[path]))
    data = gzip.compress(archive.getvalue(), mtime=0)
    return Bundle(data=data, files={path: len(held[path]) for path in sorted(held)}, redacted=redacted)


def _contents(files: Mapping[str, bytes], redacted: Mapping[str, int], *, with_model: bool) -> str:
    lines = ["A bskernel build, packed for a bug report.", "", "Files:"]
    lines += [f"  {path} ({len(files[path])} bytes)" for path in sorted(files)]
    lines += ["", "Removed, with the number of times:", *(f"  {kind}: {count}" for kind, count in redacted.items())]
    if not redacted:
        lines.append("  nothing")
    lines += ["", "The model is included, unchanged." if with_model else "The model is not included.", _LEFT_OUT]
    return "\n".join(lines) + "\n"
