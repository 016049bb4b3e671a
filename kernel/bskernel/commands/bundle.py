"""A build packed for a bug report: what it was, what failed, the logs, and the machine; nothing private, no model."""

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
from bskernel_protocol import PROTOCOL_VERSION, StepManifest, pretty_json

from bskernel.commands.doctor import Diagnosis
from bskernel.core.errors import ConfigError
from bskernel.core.interfaces import Store
from bskernel.core.redaction import Redactor, secrets_in
from bskernel.result.build_directory import CONFIG, FAILURE, RESULT, BuildDirectory

_LARGEST = 4 << 20  # bytes of one log; of a longer one the end is kept
_COMMON_USERS = frozenset({"root", "user", "ubuntu", "runner"})  # say nothing of anybody
_REPORTS = ("*.rpt", "*.log", "*.xml", "*.tcl", "*.json")  # what Vivado was told, and said
_LEFT_OUT = "Of the artifacts, Vivado's reports and scripts alone are in it."


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A packed bundle: the archive's bytes, its files with their sizes, and how often what was taken out."""

    data: bytes
    files: dict[str, int]
    redacted: dict[str, int]


def redactor_here(build: Path | None, cache: Path, root: Path, more: Iterable[str] = ()) -> Redactor:
    """Knows this machine, this user, this environment's secrets, and `more` texts to take out."""
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


def facts_here(diagnosis: Diagnosis) -> dict[str, Any]:
    """Versions, and what doctor tells of this machine but for its room; the same every time it is asked."""
    facts: dict[str, Any] = json.loads(pretty_json(diagnosis))
    for changing in ("room", "recipes"):
        del facts[changing]
    return facts | {
        "bskernel": _version("bskernel"),
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in ("msgspec", "docker", "click", "rich", "uv")},
        "executors": {
            state.name: {"digest": state.digest, "environment": state.environment, "image": state.image}
            for state in diagnosis.recipes
        },
        "variables": sorted(name for name in os.environ if name.startswith(("BSKERNEL_", "XILINX", "LM_LICENSE"))),
    }


def collect_files(build: Path | None, facts: Mapping[str, Any], redactor: Redactor) -> dict[str, bytes]:
    """The bundle's files, redacted; without a build what this machine is.

    Raises ConfigError when the folder is no build directory.
    """
    files = {"machine.json": redactor.json(pretty_json(facts).encode())}
    return files if build is None else files | _of_build(build, redactor)


def _of_build(build: Path, redactor: Redactor) -> dict[str, bytes]:
    if not (build / "steps").is_dir() and not (build / RESULT).is_file():
        raise ConfigError(f"{build}: no build directory", hint="name a folder that bskernel run has written")
    files: dict[str, bytes] = {}
    for name in (RESULT, CONFIG, "metrics.json"):
        if (build / name).is_file():
            files[name] = redactor.json((build / name).read_bytes())
    if (build / FAILURE).is_file():
        files[FAILURE] = redactor.text((build / FAILURE).read_text(encoding="utf-8", errors="replace")).encode()
    for log in [build / "log.jsonl", *sorted((build / "steps").glob("*/log.jsonl"))]:
        if log.is_file():
            files[log.relative_to(build).as_posix()] = redactor.json_lines(_end_of(log))
    for folder, manifest in BuildDirectory(build).manifests():
        files[f"steps/{folder.name}/manifest.json"] = redactor.json(pretty_json(manifest).encode())
    places = ("vivado*", "out_of_context", "output/report", "state/vivado_*proj_*")
    found = {
        path for kind in _REPORTS for place in places for path in (build / "artifacts").glob(f"{place}/**/{kind}")
    }
    for report in sorted(found):
        text = _end_of(report).decode("utf-8", "replace")
        files[report.relative_to(build).as_posix()] = redactor.text(text).encode()
    return files


def _end_of(log: Path) -> bytes:
    data = log.read_bytes()
    if len(data) <= _LARGEST:
        return data
    return data[-_LARGEST:].partition(b"\n")[2]


def model_of(build: Path, store: Store) -> bytes | None:
    """The network that the build began with: what its first step took as `model`."""
    for _, manifest in BuildDirectory(build).manifests():
        model = _model(manifest)
        if model is not None:
            return store.get(model)
    return None


def _model(manifest: StepManifest) -> Any:
    return next((artifact.digest for artifact in manifest.inputs if artifact.name == "model"), None)


def pack(files: Mapping[str, bytes], redactor: Redactor, *, name: str, model: bytes | None) -> Bundle:
    """One archive, the same bytes for the same files: fixed times and owners, in order of name."""
    redacted = {kind: count for kind, count in sorted(redactor.counts.items()) if count}
    held = dict(files) | ({"model.onnx": model} if model is not None else {})
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
    lines = ["A build of bskernel, packed for a bug report.", "", "Files:"]
    lines += [f"  {path} ({len(files[path])} bytes)" for path in sorted(files)]
    lines += ["", "Taken out, and how often:", *(f"  {kind}: {count}" for kind, count in redacted.items())]
    if not redacted:
        lines.append("  nothing")
    lines += ["", "The model is included, as it is." if with_model else "The model is left out.", _LEFT_OUT]
    return "\n".join(lines) + "\n"
