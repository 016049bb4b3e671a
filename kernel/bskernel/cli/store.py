"""`bskernel store push | pull | stat | check | gc`: the cache, and the store that machines share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.core.errors import EXIT_ENVIRONMENT, ConfigError

if TYPE_CHECKING:
    from bskernel.commands.store import StoreAdmin

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_AGES = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
_WHAT = click.argument("what", required=False, type=click.Path(path_type=Path), metavar="[CONFIG | BUILD]")
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="A build.toml that names the shared store.")
_STORE = click.option("--store", "url", metavar="URL", help="The shared store; else BSKERNEL_STORE, or the config's.")
_MODE = click.option(
    "--mode",
    type=click.Choice(["read-only", "write-through", "write-back"]),
    help="May it be written? Else BSKERNEL_STORE_MODE, or the config's.",
)
_SHARED = click.option("--shared", is_flag=True, help="The shared store, not the cache.")


def age(text: str) -> float:
    """Seconds, from such as 30d, 2w, 12h. Raises click.BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no age: give such as 12h, 30d or 8w")
    return float(match[1]) * _AGES[match[2]]


def size(text: str) -> int:
    """Bytes, from such as 500M, 20G, 1.5TiB. Raises click.BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper())
    if match is None or match[2] not in _UNITS:
        raise click.BadParameter(f"{text!r} is no size: give such as 500M, 20G or 1.5TiB")
    return int(float(match[1]) * _UNITS[match[2]])


def describe_size(count: int) -> str:
    """As 512 B, 1.2 MB, 20 GB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


@click.group()
def store() -> None:
    """The cache of results, and the store that machines share behind it."""


def _admin(what: Path | None, config: Path | None, url: str | None, mode: str | None) -> StoreAdmin:
    """For the shared store of the config, if one is named, or what is given instead."""
    from bskernel.commands.store import StoreAdmin

    named = config or (what if what is not None and what.is_file() else None)
    return StoreAdmin.of(named, url=url, mode=mode, note=lambda text: click.echo(text, err=True))


@store.command()
@_WHAT
@_CONFIG
@_STORE
@_MODE
@_JSON
def push(what: Path | None, config: Path | None, url: str | None, mode: str | None, as_json: bool) -> None:
    """Copy results to the shared store: all of the cache, or those of CONFIG's steps or of a BUILD directory.

    Of a sweep they are those of all its points.

    Results that are there already are left as they are.
    """
    from bskernel_protocol import pretty_json

    done = _admin(what, config, url, mode).push(what)
    gone = f", {done.gone} are not in the cache" if done.gone else ""
    text = f"{done.pushed} results pushed, {done.present} were there{gone}"
    click.echo(pretty_json(done) if as_json else text, nl=not as_json)


@store.command()
@click.argument("what", type=click.Path(path_type=Path), metavar="CONFIG | BUILD")
@_CONFIG
@_STORE
@_JSON
def pull(what: Path, config: Path | None, url: str | None, as_json: bool) -> None:
    """Copy the results of CONFIG's steps, or of a BUILD directory, from the shared store to the cache.

    Of a sweep they are those of all its points.
    """
    from bskernel_protocol import pretty_json

    done = _admin(what, config, url, None).pull(what)
    text = f"{done.pulled} results pulled, {done.present} were here, {done.missing} are nowhere"
    click.echo(pretty_json(done) if as_json else text, nl=not as_json)


@store.command()
@_CONFIG
@_STORE
@_JSON
def stat(config: Path | None, url: str | None, as_json: bool) -> None:
    """Count what the cache and the shared store hold, and what is still to be pushed."""
    from bskernel_protocol import pretty_json

    found = _admin(None, config, url, None).stat()
    if as_json:
        click.echo(pretty_json(found), nl=False)
        return
    for place in (found.local, found.shared):
        if place is not None:
            held = place.holds
            click.echo(f"{place.where}: {held.results} results, {held.blobs} blobs, {describe_size(held.bytes)}")
    if found.pending is not None:
        click.echo(f"still to be pushed: {found.pending} results")


@store.command()
@_CONFIG
@_STORE
@_MODE
@_SHARED
@click.option("--repair", is_flag=True, help="Remove what is damaged, and results of which something is missing.")
@_JSON
def check(config: Path | None, url: str | None, mode: str | None, shared: bool, repair: bool, as_json: bool) -> None:
    """Read all of the cache, or of the shared store, and compare every blob with its digest.

    Exit code 4 when something is damaged and was not removed.
    """
    from bskernel_protocol import pretty_json

    found = _admin(None, config, url, mode).check(shared=shared, repair=repair)
    if as_json:
        click.echo(pretty_json(found), nl=False)
    else:
        held = f"{found.results} results, {found.blobs} blobs, {describe_size(found.bytes)}"
        click.echo(f"{held}: {len(found.damaged)} blobs damaged, {len(found.dangling)} results incomplete")
        for name in (*found.damaged, *found.dangling):
            click.echo(f"  {name}{'  removed' if repair else ''}")
    if not found.sound and not repair:
        sys.exit(EXIT_ENVIRONMENT)


def _size_option(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    return size(text) if text is not None else None


@store.command()
@_CONFIG
@_STORE
@_MODE
@_SHARED
@click.option("--max-size", callback=_size_option, metavar="SIZE", help="Keep no more than that, such as 20G.")
@click.option("--older-than", type=age, metavar="TIME", help="Remove results not used for that long, as 30d.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@_JSON
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
    """Remove results from the cache, or with --shared from the shared store, and blobs that none needs any more.

    In the cache a result's age is the time since it was last used; in the shared store since it was pushed. Nothing
    goes while a build uses the cache.
    """
    from bskernel_protocol import pretty_json

    if shared and max_size is None and older_than is None:
        raise ConfigError("gc --shared: say what may go", hint="--older-than 30d, or --max-size 200G")
    admin = _admin(None, config, url, mode)
    found = admin.tidy(shared=shared, max_bytes=max_size, older_than_s=older_than, dry_run=dry_run)
    if as_json:
        click.echo(pretty_json(found), nl=False)
        return
    would = "would be removed" if dry_run else "removed"
    rest = f"{describe_size(found.freed)} of {describe_size(found.bytes)}"
    click.echo(f"{len(found.results)} results and {len(found.blobs)} blobs {would}: {rest}")
