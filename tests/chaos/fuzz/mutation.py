"""Damage to bytes and to values, seeded."""

import random
import struct
from collections.abc import Sequence
from typing import Any

NESTED = 3000  # deeper than Python's stack and than any message of ours
DEEP = "@@deep@@"
_ODD_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\xc1",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff",
    b"{",
    b"[",
    b'"',
    b"\n",
    b"NaN",
)
_ODD_TEXTS = (
    "",
    "\0",
    "../x",
    "/etc/passwd",
    ".",
    "..",
    "a/b",
    "\ud800",
    "é" * 200,
    "\x1b[2J",
    "x" * 5000,
    "1e999",
    "nan",
)


def damage(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, damaged in one to four ways; rarely deep nesting or noise."""
    kind = rng.random()
    if kind < 0.002:
        return _nested(rng, rng.choice(seeds))
    if kind < 0.02:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        _damage_once(rng, data, seeds)
    return bytes(data)


def _damage_once(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.randint(1, 8))
    way = rng.randrange(9)
    if way == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif way == 1 and at < len(data):
        data[at] = rng.randrange(256)
    elif way == 2:
        del data[at:]
    elif way == 3:
        del data[at:end]
    elif way == 4:
        data[at:at] = rng.choice(_ODD_BYTES)
    elif way == 5:
        data[at:at] = data[at:end] * rng.randint(1, 50)
    elif way == 6:
        data[at:end] = bytes(end - at)
    elif way == 7:
        other = rng.choice(seeds)
        start = rng.randrange(len(other) + 1)
        data[at:] = other[start:]
    else:
        data[at:end] = struct.pack(">Q", rng.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)))[: end - at]


def _nested(rng: random.Random, seed: bytes) -> bytes:
    opening = rng.choice((b"\x91", b"\x81\xa1a", b"[", b'{"a":', b"(", b"not ", b"a = [", b"\x0a\xff\x7f", b"- "))
    at = rng.choice((len(seed), rng.randrange(len(seed) + 1)))
    return seed[:at] + opening * NESTED + seed[at:]


def damage_value(rng: random.Random, value: Any) -> Any:
    """A value of JSON's kind with one place changed."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        way = rng.random()
        if way < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if way < 0.2:
            return {**value, rng.choice(_ODD_TEXTS): odd_value(rng)}
        return {**value, key: damage_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        way = rng.random()
        if way < 0.1:
            return value[:at] + value[at + 1 :]
        if way < 0.2:
            return [*value, *value]
        return [*value[:at], damage_value(rng, value[at]), *value[at + 1 :]]
    return odd_value(rng)


def odd_value(rng: random.Random) -> Any:
    """A value that few expect; see `with_depth` for one of them."""
    numbers = (0, -1, 1, 2**63, 2**64 - 1, -(2**63), 1.5, float("nan"), float("inf"), -0.0, 1e308)
    others: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, {"type": "failure"}, b"\xff")
    return DEEP if rng.random() < 0.02 else rng.choice((*numbers, *_ODD_TEXTS, *others))


def with_depth(rng: random.Random, data: bytes, form: str) -> bytes:
    """The encoded bytes with deep nesting in place of DEEP, which no encoder could write."""
    if form == "msgpack":
        deep = rng.choice((b"\x91", b"\x81\xa1a")) * NESTED + b"\xc0"
        return data.replace(bytes([0xA0 | len(DEEP)]) + DEEP.encode(), deep)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return data.replace(f'"{DEEP}"'.encode(), opening * NESTED + b"0" + closing * NESTED)
