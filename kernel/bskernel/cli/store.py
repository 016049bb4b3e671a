"""`bskernel store push | pull | stat | check | gc`: the cache, and the store that machines share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_config, complete_config_or_build
from bskernel.cli.options import JSON, PATH
from bskernel.cli.output import print_note, print_result
from bskernel.cli.units import age, describe_duration, describe_size, size
from bskernel.core.errors import EXIT_ENVIRONMENT, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bskernel.commands.store import Collected, Pulled, Stat, StoreAdmin
    from bskernel.images.usage import MadeItem
    from bskernel.store.gc import Checked
    from bskernel.store.uploader import Pushed

_CONFIG = click.option(
    "--config",
    type=PATH,
    shell_complete=complete_config,
    help="A build.toml whose [store] table names the shared store.",
)
_STORE = click.option(
    "--store", "url", metavar="URL", help="The shared store. Default: $BSKERNEL_STORE, then [store] shared."
)
_MODE = click.option(
    "--mode",
    type=click.Choice(["read-only", "write-through", "write-back"]),
    help="Write policy for the shared store. Default: $BSKERNEL_STORE_MODE, then [store] mode.",
)
_SHARED = click.option("--shared", is_flag=True, help="Work on the shared store instead of the cache.")


@click.group()
def store() -> None:
    """Manage the cache and the store that machines share.

    The cache is a directory of this user; the shared store is a folder, an S3 bucket or an SSH host.
    """


def _admin(what: Path | None, config: Path | None, url: str | None, mode: str | None) -> StoreAdmin:
    """The shared store of --store, or of --config, or of `what` if it is a build.toml."""
    from bskernel.commands.store import StoreAdmin

    named = config or (what if what is not None and what.is_file() else None)
    return StoreAdmin.of(named, url=url, mode=mode, note=print_note)


@store.command()
@click.argument(
    "what", required=False, type=PATH, metavar="[CONFIG | BUILD]", shell_complete=complete_config_or_build
)
@_CONFIG
@_STORE
@_MODE
@JSON
def push(what: Path | None, config: Path | None, url: str | None, mode: str | None, as_json: bool) -> None:
    """Copy results from the cache to the shared store.

    Copies the results of CONFIG's steps, or of a BUILD directory, or the whole cache; for a sweep, those of all its
    points. Results that the shared store already has are left unchanged.
    """
    print_result(_admin(what, config, url, mode).push(what), _describe_pushed, as_json=as_json)


def _describe_pushed(done: Pushed) -> str:
    gone = f", {done.gone} are not in the cache or came from another store" if done.gone else ""
    return f"{done.pushed} results pushed, {done.present} already there{gone}"


@store.command()
@click.argument(
    "what", type=PATH, required=False, metavar="[CONFIG | BUILD]", shell_complete=complete_config_or_build
)
@_CONFIG
@_STORE
@JSON
def pull(what: Path | None, config: Path | None, url: str | None, as_json: bool) -> None:
    """Copy results from the shared store to the cache.

    Copies the results of CONFIG's steps, or of a BUILD directory; for a sweep, those of all its points. CONFIG is by
    default the build.toml of the current folder.
    """
    if what is None:
        from bskernel.workspace.project_folder import find_config

        what = find_config()
    print_result(_admin(what, config, url, None).pull(what), _describe_pulled, as_json=as_json)


def _describe_pulled(done: Pulled) -> str:
    return f"{done.pulled} results pulled, {done.present} already in the cache, {done.missing} in neither store"


@store.command()
@_CONFIG
@_STORE
@JSON
def stat(config: Path | None, url: str | None, as_json: bool) -> None:
    """Show the size of the cache and the shared store.

    Also shows the environments of executors, the images that this cache used, which recipes need them, and how many
    results of the cache are waiting to be pushed.
    """
    print_result(_admin(None, config, url, None).stat(), _describe_stat, as_json=as_json)


def _describe_stat(found: Stat) -> str:
    lines = [
        f"{place.where}: {place.holds.results} results, {place.holds.blobs} blobs, {describe_size(place.holds.bytes)}"
        for place in (found.local, found.shared)
        if place is not None
    ]
    if found.pending is not None:
        lines.append(f"waiting to be pushed: {found.pending} results")
    return "\n".join([*lines, *_describe_made(found.made)])


def _describe_made(made: Sequence[MadeItem]) -> list[str]:
    """The number and size of each kind, a line for each that is needed or in use, and one for the rest."""
    import time

    from bskernel.report.terminal import aligned

    lines, now = [], time.time()
    for kind, note in (("environment", ""), ("image", ", with layers that they share")):
        items = sorted((item for item in made if item.kind == kind), key=lambda item: -item.used)
        if items:
            lines.append(f"{kind}s: {len(items)}, {describe_size(sum(item.bytes for item in items))}{note}")
        needed = [_row_of(item, now) for item in items if item.recipes or item.in_use]
        if needed:
            lines += [f"  {line}" for line in aligned(needed)]
        rest = [item for item in items if not item.recipes and not item.in_use]
        if rest:
            size, age = describe_size(sum(item.bytes for item in rest)), describe_duration(now - rest[0].used)
            lines.append(f"  {len(rest)} that no recipe needs, {size}, the last one used {age} ago")
    return lines


def _row_of(item: MadeItem, now: float) -> tuple[str, ...]:
    used = "in use" if item.in_use else f"used {describe_duration(max(0.0, now - item.used))} ago"
    name = item.id.removeprefix("sha256:")[:17]
    return name, describe_size(item.bytes), used, ", ".join(item.recipes) or "needed by no recipe"


@store.command()
@_CONFIG
@_STORE
@_MODE
@_SHARED
@click.option("--repair", is_flag=True, help="Remove what is corrupt or incomplete, and what is no part of a store.")
@JSON
def check(config: Path | None, url: str | None, mode: str | None, shared: bool, repair: bool, as_json: bool) -> None:
    """Compare all blobs and results with their digests; find foreign files.

    Reads the whole cache, or with --shared the whole shared store. The exit code is 4 if something is corrupt and was
    not removed.
    """

    def describe(found: Checked) -> str:
        held = f"{found.results} results, {found.blobs} blobs, {describe_size(found.bytes)}"
        counts = f"{len(found.damaged)} blobs corrupt, {len(found.dangling)} results corrupt or incomplete"
        strays = f", {len(found.strays)} other files damaged or foreign" if found.strays else ""
        lines = [f"{held}: {counts}{strays}"]
        names = (*found.damaged, *found.dangling, *found.strays)
        lines += [f"  {name}{'  removed' if repair else ''}" for name in names]
        return "\n".join(lines)

    found = _admin(None, config, url, mode).check(shared=shared, repair=repair)
    print_result(found, describe, as_json=as_json)
    if not found.sound and not repair:
        sys.exit(EXIT_ENVIRONMENT)


@store.command()
@_CONFIG
@_STORE
@_MODE
@_SHARED
@click.option(
    "--max-size",
    type=size,
    metavar="SIZE",
    help="Remove what was used longest ago until no more than SIZE of each kind is left, e.g. 20G.",
)
@click.option("--older-than", type=age, metavar="TIME", help="Remove what is older than TIME, e.g. 30d.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@JSON
def gc(
    config: Path | None,
    url: str | None,
    mode: str | None,
    shared: bool,
    max_size: int | None,
    older_than: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove old results, and blobs that no result needs.

    Works on the cache, or with --shared on the shared store. The age of a result in the cache is the time since its
    last use, in the shared store the time since it was pushed. With --older-than or --max-size, a limit for each
    kind, the cache also loses environments of executors and the images that it used, but none in use: those that no
    recipe needs go first, and all are made again when a step needs them. Fails while a build uses the cache.
    """

    def describe(found: Collected) -> str:
        removed = "would be removed" if dry_run else "removed"
        freed = f"{describe_size(found.freed)} of {describe_size(found.bytes)}"
        lines = [f"{len(found.results)} results and {len(found.blobs)} blobs {removed}: {freed}"]
        return "\n".join([*lines, *([f"{removed} too:"] if found.made else []), *_describe_made(found.made)])

    if shared and max_size is None and older_than is None:
        raise ConfigError("gc --shared needs a limit", hint="give --older-than 30d or --max-size 200G")
    admin = _admin(None, config, url, mode)
    found = admin.collect_garbage(shared=shared, max_bytes=max_size, older_than_s=older_than, dry_run=dry_run)
    print_result(found, describe, as_json=as_json)
