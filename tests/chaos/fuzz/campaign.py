"""Fuzzing: each trial damages some thousand messages of one decoder."""

import contextlib
import os
import socket
import time
from pathlib import Path

import msgspec

from chaos import invariants
from chaos.fuzz.decoders import DECODERS, Decoder
from chaos.fuzz.mutation import damage, damage_value, with_depth
from chaos.kind import Kind, Trial, Violation

GOAL = 10_000_000  # messages that the project's figures need
SLOWEST_S = 10.0  # for one message; a hang or a product of lengths takes longer


def damaged(trial: Trial, decoder: Decoder) -> bytes:
    """One damaged message; half of the time the value is damaged, and how it is written is right."""
    if decoder.form and trial.rng.random() < 0.5:
        codec = msgspec.msgpack if decoder.form == "msgpack" else msgspec.json
        value = damage_value(trial.rng, codec.decode(trial.rng.choice(decoder.seeds)))
        try:
            return with_depth(trial.rng, codec.encode(value), decoder.form)
        except (ValueError, OverflowError, RecursionError, TypeError, msgspec.EncodeError):
            return damage(trial.rng, decoder.seeds)
    return damage(trial.rng, decoder.seeds)


def attempt(trial: Trial, decoder: Decoder) -> None:
    """Give the decoder a batch of damaged messages."""
    trial.item = decoder.name
    for number in range(1, decoder.batch + 1):
        trial.count = number
        data = damaged(trial, decoder)
        started = time.monotonic()
        try:
            decoder.decode(data, trial.folder)
        except decoder.declared:
            pass
        except Exception as error:
            shown = data if len(data) <= 160 else data[:80] + b"..." + data[-80:]
            raise Violation(
                f"{type(error).__name__}: {str(error)[:200]}: undeclared, for message {number} of the batch,"
                f" {len(data)} bytes: {shown!r}",
                "traceback",
            ) from error
        if (seconds := time.monotonic() - started) > SLOWEST_S:
            raise Violation(
                f"{seconds:.1f} s for message {number} of the batch, {len(data)} bytes: {data[:200]!r}", "hang"
            )


def _kind(decoder: Decoder) -> Kind:
    names = ", ".join(error.__name__ for error in decoder.declared) or "nothing"
    return Kind(
        name=f"fuzz/{decoder.name}",
        promise=f"damaged bytes raise {names}",
        attempt=lambda trial: attempt(trial, decoder),
        tries=1,
        volume=-(-GOAL // sum(each.batch for each in DECODERS)),
    )


def warm_session(trial: Trial) -> None:
    """Send damaged requests to the socket of a warm session: it goes on, and the next run is right."""
    site = trial.site
    project, cache = site.write_project(trial.folder / "project"), site.new_cache(trial.folder / "cache")
    invariants.proper(site.run(project, cache, "up", "chaos"), {0})
    requests = next(decoder for decoder in DECODERS if decoder.name == "requests-to-daemons").seeds
    sockets = list((cache / "kept").glob("*/socket"))
    trial.require(sockets, "a warm session without a socket")
    trial.count = 200
    for _ in range(trial.count):
        with contextlib.suppress(OSError), contextlib.closing(_connect(sockets[0])) as connection:
            connection.sendall(damage(trial.rng, requests))
            if trial.rng.random() < 0.3:
                connection.recv(1 << 16)
    invariants.the_session_ends(trial, project, cache)


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(0.2)
    folder = os.open(path.parent, os.O_PATH)  # the path of a socket is limited to 107 bytes
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    return connection


KINDS = [
    *(_kind(decoder) for decoder in DECODERS),
    Kind(
        name="fuzz/warm-session",
        promise="damaged requests to a warm session end the connection alone",
        attempt=warm_session,
        tries=1,
    ),
]
