"""A layer that Vitis HLS synthesises, without the name that its node has. Pure, but for reading its folder.

FINN names the top function of a layer's code after the layer's node, and Vitis HLS names the IP and all its modules
after that function. Here the function is named after the content of the code, before Vitis HLS sees it. So equal
layers are equal files and become the same IP, whatever their nodes are called and wherever they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from bskernel_executors.exchange.artifact_file import read_artifact
from bskernel_executors.exchange.file_tree import read_files
from bskernel_executors.sdk import StepFailure

PROJECT = "project"  # of Vitis HLS, in the folder of an IP
_IP = "ip.json"
_DIGITS = 12  # of the digest in a name
_NAMELESS = "@bskernel-layer@"  # in place of the name, while the content is digested
_SCRIPT, _SOURCE = "hls_syn_{}.tcl", "top_{}.cpp"  # FINN's names of a layer's files


class HlsIp(msgspec.Struct, frozen=True, kw_only=True):
    """What was made of a layer: the name of the IP and of its top module, and the tool that made it."""

    name: str
    tool: str | None


_DECODER = msgspec.json.Decoder(HlsIp)


def write_ip(folder: Path, ip: HlsIp) -> None:
    """Note in the folder of an IP what it is."""
    (folder / _IP).write_bytes(msgspec.json.encode(ip))


def read_ip(folder: Path) -> HlsIp:
    """Return what the IP in a folder is. Raises StepFailure."""
    return read_artifact(folder / _IP, _DECODER, _IP, writer="finn-step:synthesize_hls_layer")


def find_name(folder: Path) -> str:
    """Return the name of the top function in a layer's folder. Raises StepFailure (config) without one script."""
    prefix, suffix = _SCRIPT.split("{}")
    names = [path.name.removeprefix(prefix).removesuffix(suffix) for path in folder.glob(_SCRIPT.format("*"))]
    if len(names) != 1:
        raise StepFailure(
            category="config",
            message=f"the folder of a layer has {len(names)} scripts for Vitis HLS, not one",
            hint="take a folder that split_hls_layers made",
        )
    return names[0]


def read_code(folder: Path, node: str) -> dict[str, bytes]:
    """Return the files that Vitis HLS reads of the code of a node: script, source, and what either of them names.

    Weights that FINN puts beside the kernel, in a memory of RTL, are none of them. Raises FileNotFoundError.
    """
    found = read_files(folder)
    first = [_SCRIPT.format(node), _SOURCE.format(node)]
    missing = [name for name in first if name not in found]
    if missing:
        raise FileNotFoundError(missing[0])
    taken: dict[str, bytes] = {}
    waiting = first
    while waiting:
        name = waiting.pop()
        taken[name] = found[name]
        waiting += [
            other
            for other in found
            if other not in taken and other not in waiting and Path(other).name.encode() in found[name]
        ]
    return taken


def name_by_content(
    code: Mapping[str, bytes], node: str, operator: str, moves: Iterable[tuple[str, str]]
) -> dict[str, bytes]:
    """Return the code of a node with a name made from its content in place of the node's.

    `moves` are paths in it, each with what to put in its place. A name without the operator's in it could be any word
    of the code. It stays, and the layer is equal to layers of its own name only.
    """
    for old, new in moves:
        code = {name: data.replace(old.encode(), new.encode()) for name, data in code.items()}
    if operator not in node:
        return dict(code)
    nameless = _rename(code, node, _NAMELESS)
    digest = hashlib.sha256(operator.encode())
    for name in sorted(nameless):
        for part in (name.encode(), nameless[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return _rename(nameless, _NAMELESS, f"{operator}_{digest.hexdigest()[:_DIGITS]}")


def _rename(code: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    """Replace a name in files and in their names, but not where it is part of a longer one, as X_1 is of X_12."""
    whole = re.compile(rb"(?<![A-Za-z0-9])" + re.escape(old.encode()) + rb"(?![A-Za-z0-9])")
    return {
        whole.sub(new.encode(), name.encode()).decode(): whole.sub(new.encode(), data) for name, data in code.items()
    }
