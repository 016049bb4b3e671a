"""`bskernel completion`: scripts that make shells complete the command."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bskernel.cli.output import echo
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.places import place_lacking


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False)
@click.option("--install", is_flag=True, help="Write the script to your home directory, and load it in new shells.")
def completion(shell: str | None, install: bool) -> None:
    """Complete commands, steps, builds and keys in your shell.

    Prints the script for SHELL, by default the one that you use ($SHELL); e.g. eval "$(bskernel completion bash)" in
    ~/.bashrc. With --install, writes it to a file of its own: fish finds it there, and one line in ~/.bashrc or
    ~/.zshrc loads it.
    """
    from bskernel.cli.group import cli
    from bskernel.cli.shells import SHELLS, script_of

    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise ConfigError(f"no completion for the shell {name!r}", hint=f"name one of {', '.join(SHELLS)}")
    script = script_of(name, cli)
    if not install:
        echo(script, nl=False)
        return
    try:
        for line in _install(name, script):
            echo(line)
    except OSError as error:
        raise place_lacking(error) or ConfigError(f"{error.filename}: not writable: {error.strerror}") from error


def _install(shell: str, script: str) -> list[str]:
    """Write the script, and where needed the line that loads it, once. Returns what was done. Raises OSError."""
    home = Path(os.environ.get("HOME") or "")
    if not home.is_absolute():
        raise EnvironmentLacking("your home directory is not known", hint="set HOME")
    if shell == "fish":
        file = _folder("XDG_CONFIG_HOME", home / ".config") / "fish" / "completions" / "bskernel.fish"
        _write(file, script)
        return [f"written: {file}", "new shells complete `bskernel`"]
    file = _folder("XDG_DATA_HOME", home / ".local" / "share") / "bskernel" / f"completion.{shell}"
    _write(file, f"{_COMPINIT if shell == 'zsh' else ''}{script}")
    start = _folder("ZDOTDIR", home) / ".zshrc" if shell == "zsh" else home / ".bashrc"
    line = f'[ -r "{file}" ] && . "{file}"  # bskernel completion'
    text = start.read_text(encoding="utf-8", errors="surrogateescape") if start.exists() else ""
    if line in text.splitlines():
        return [f"written: {file}", f"{start} loads it already"]
    with start.open("a", encoding="utf-8", errors="surrogateescape") as opened:
        opened.write(f"{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
    return [f"written: {file}", f"{start}: added the line that loads it; new shells complete `bskernel`"]


_COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"


def _folder(variable: str, default: Path) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else default


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
