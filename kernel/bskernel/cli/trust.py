"""`bskernel trust`: what a project may do on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_config
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_result
from bskernel.core.errors import ConfigError

if TYPE_CHECKING:
    from bskernel.commands.trust import TrustedProject
    from bskernel.workspace.trust_request import TrustRequest


@click.command()
@click.argument("path", type=PATH, required=False, shell_complete=complete_config)
@click.option("--show", is_flag=True, help="Only show what PATH asks for; trust nothing.")
@click.option("--remove", is_flag=True, help="Trust PATH no longer.")
@click.option("--list", "lists", is_flag=True, help="List the trusted projects.")
@JSON
def trust(path: Path | None, show: bool, remove: bool, lists: bool, as_json: bool) -> None:
    """Trust a project: the tools, stores and folders that it asks for.

    PATH is a build.toml or a project's folder, by default the current one. Nothing of the project is run. What it
    asks for later, and a tool in it that changes, is asked for again. See docs/security.md.
    """
    from bskernel.commands import trust as trust_command

    if sum((show, remove, lists)) > 1 or (lists and path is not None):
        raise ConfigError("give one of PATH, --show PATH, --remove PATH and --list")
    path = path or Path()
    if lists:
        print_result(trust_command.list_trusted(), _describe_all, as_json=as_json)
    elif remove:
        known = trust_command.revoke(path)
        said = f"{path}: {'no longer trusted' if known else 'was not trusted'}"
        print_result(known, lambda _: said, as_json=as_json)
    else:
        requests = trust_command.find_requests(path)
        if requests and not show:
            trust_command.grant(path, requests)
        word = "asks for" if show else "trusted"
        print_result(requests, lambda asked: _describe(path, word, asked), as_json=as_json)


def _describe(path: Path, word: str, requests: Iterable[TrustRequest]) -> str:
    lines = [f"  {request.key} = {request.value}: {request.why}" for request in requests]
    return "\n".join([f"{path}: {word}", *lines]) if lines else f"{path}: asks for nothing that needs trust"


def _describe_all(projects: Iterable[TrustedProject]) -> str:
    lines = [_describe(project.folder, "trusted", project.requests) for project in projects]
    return "\n".join(lines) or "no trusted projects"
