"""A page as Chromium sees it, and the pixels of a PNG."""

import json
import re
import struct
import subprocess
import zlib
from pathlib import Path

import msgspec


class Seen(msgspec.Struct):
    """What became of a page: its document once scripts are done, what it wrote on the console, what it asked for."""

    document: str
    console: list[str]
    requests: list[str]
    screenshot: Path


def look_at(page: Path, folder: Path) -> Seen:
    network, screenshot = folder / "network.json", folder / "screenshot.png"
    call = [
        "chromium", "--headless", "--no-sandbox",
        "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000",
        "--enable-logging=stderr", "--window-size=900,700",
    ]  # fmt: skip
    url = page.resolve().as_uri()
    dump = [*call, f"--log-net-log={network}", "--dump-dom", url]
    done = subprocess.run(dump, capture_output=True, text=True, check=True, timeout=300)
    photo = [*call, f"--screenshot={screenshot}", url]
    subprocess.run(photo, capture_output=True, text=True, check=True, timeout=300)
    return Seen(
        document=done.stdout,
        console=re.findall(r"CONSOLE.*", done.stderr),
        requests=_asked_by_pages(network),
        screenshot=screenshot,
    )


def _asked_by_pages(network: Path) -> list[str]:
    """Addresses that a page asked for: what Chromium asks for on its own account has no origin."""
    urls = []
    for event in json.loads(network.read_text())["events"]:
        asked = event.get("params", {})
        if asked.get("initiator", "not an origin") != "not an origin":
            urls.append(asked["url"])
    return urls


def pixels(png: Path) -> list[tuple[int, int, int]]:
    """All pixels of a PNG with 8 bits a channel, RGB or RGBA, that is not interlaced."""
    data = png.read_bytes()
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    assert (depth, interlaced) == (8, 0)
    channels = {2: 3, 6: 4}[kind]
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw, stride, found = zlib.decompress(packed), width * channels, []
    above = bytearray(stride)
    for line in range(height):
        start = line * (stride + 1)
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, channels)
        found += [(above[x], above[x + 1], above[x + 2]) for x in range(0, stride, channels)]
    return found


def _unfiltered(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    for at in range(len(line)):
        left = line[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        up = above[at]
        guess = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        line[at] = (line[at] + (0, left, up, (left + up) // 2, guess)[kind]) & 0xFF
    return line
