"""The same steps by what others would take: a shell loop, make, doit, Snakemake; each step is one command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
Command = list[str | Path]


def step_command(folder: Path, image: str | None) -> str:
    """What one step does, as a shell's text with {source} and {target}: in a container of `image`, or here."""
    copy = "cat {source} > {target}"
    return copy if image is None else f'docker run --rm --network none -v "{folder}:/w" -w /w {image} sh -c "{copy}"'


def _sources(count: int, *, chained: bool) -> list[tuple[str, str]]:
    return [(f"o{at - 1 if chained else 0}", f"o{at}") for at in range(1, count + 1)]


def shell_loop(folder: Path, command: str, count: int, *, chained: bool) -> Command:
    """One command after the other."""
    lines = [command.format(source=source, target=target) for source, target in _sources(count, chained=chained)]
    (folder / "steps.sh").write_text("set -e\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return ["sh", folder / "steps.sh"]


def make(folder: Path, command: str, count: int, *, chained: bool) -> Command:
    """A Makefile with one rule per step."""
    rules = [
        f"{target}: {source}\n\t{command.format(source=source, target=target)}\n"
        for source, target in _sources(count, chained=chained)
    ]
    targets = " ".join(target for _, target in _sources(count, chained=chained))
    (folder / "Makefile").write_text(f"all: {targets}\n{''.join(rules)}", encoding="utf-8")
    return ["make", "--silent", "-j2", "-C", folder]


def doit(folder: Path, command: str, count: int, *, chained: bool) -> Command:
    """A dodo.py with one task per step."""
    steps = [
        (source, target, command.format(source=source, target=target))
        for source, target in _sources(count, chained=chained)
    ]
    (folder / "dodo.py").write_text(
        f"STEPS = {steps!r}\n"
        "def task_step():\n"
        "    for source, target, command in STEPS:\n"
        "        yield {'name': target, 'actions': [command], 'file_dep': [source], 'targets': [target]}\n",
        encoding="utf-8",
    )
    return [BIN / "doit", "--dir", folder, "-f", folder / "dodo.py", "-n", "2"]


def snakemake(folder: Path, command: str, count: int, *, chained: bool) -> Command:
    """A Snakefile with one rule per step."""
    last = [target for _, target in _sources(count, chained=chained)]
    rules = [f"rule all:\n    input: {last!r}\n"]
    rules += [
        f"rule {target}:\n    input: {source!r}\n    output: {target!r}\n"
        f"    shell: {command.format(source='{input}', target='{output}')!r}\n"
        for source, target in _sources(count, chained=chained)
    ]
    (folder / "Snakefile").write_text("\n".join(rules), encoding="utf-8")
    return [BIN / "snakemake", "--quiet", "all", "--cores", "2", "--directory", folder, "-s", folder / "Snakefile"]


Peer = Callable[..., Command]
PEERS: dict[str, Peer] = {"shell loop": shell_loop, "make": make, "doit": doit, "snakemake": snakemake}


def installed() -> dict[str, Peer]:
    """The peers that are here: doit and Snakemake come with `uv sync --group bench`."""
    return {name: peer for name, peer in PEERS.items() if name in {"shell loop", "make"} or (BIN / name).exists()}


def clear_state(folder: Path) -> None:
    """A folder in which nothing has been made."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*folder.glob("o*"), *folder.glob(".doit*")]:
        path.unlink()
    (folder / "o0").write_text("5", encoding="utf-8")
