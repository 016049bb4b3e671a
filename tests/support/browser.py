"""A page as Chromium sees it, and the pixels of a PNG."""

import html
import json
import re
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

_NARROWEST = 500  # px: Chromium opens no narrower window


class Seen(msgspec.Struct):
    """What became of a page: its document once scripts are done, what it wrote on the console, what it asked for."""

    document: str
    console: list[str]
    requests: list[str]
    screenshot: Path


def look_at(
    page: Path, folder: Path, *, width: int = 900, height: int = 700, dark: bool = False, photo: bool = True
) -> Seen:
    """The page in a window of that size in px, and in the colours that people who want it dark see.

    Without `photo` there is no screenshot, for which Chromium starts again.
    """
    if width < _NARROWEST:
        page = _framed(page, folder, width, height)
    network, screenshot = folder / "network.json", folder / "screenshot.png"
    call = [
        "chromium", "--headless", "--no-sandbox",
        "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000",
        "--enable-logging=stderr", f"--window-size={width},{height}", "--hide-scrollbars",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
    ]  # fmt: skip
    url = page.resolve().as_uri()
    dump = [*call, f"--log-net-log={network}", "--dump-dom", url]
    done = subprocess.run(dump, capture_output=True, text=True, check=True, timeout=300)
    if photo:
        shoot = [*call, f"--screenshot={screenshot}", url]
        subprocess.run(shoot, capture_output=True, text=True, check=True, timeout=300)
    return Seen(
        document=done.stdout,
        console=re.findall(r"CONSOLE.*", done.stderr),
        requests=_asked_by_pages(network),
        screenshot=screenshot,
    )


def _framed(page: Path, folder: Path, width: int, height: int) -> Path:
    """A page with the page in a frame of that size, which hands on what the page's script has to tell."""
    frame = folder / f"framed-{page.name}"
    listen = "addEventListener('message', (sent) => { document.body.dataset.told = sent.data; });"
    style = "html, body { margin: 0 } iframe { border: 0; display: block }"
    url = html.escape(page.resolve().as_uri())
    frame.write_text(
        f"<!DOCTYPE html><title>frame</title><style>{style}</style><script>{listen}</script>"
        f'<body><iframe src="{url}" width="{width}" height="{height}"></iframe></body>',
        encoding="utf-8",
    )
    return frame


def with_script(page: Path, folder: Path, script: str) -> Path:
    """A copy of a page on which a test's script acts as people do; without the policy that forbids it.

    What the script hands to `tell(value)` is in the document that Chromium shows, for `told`.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    tell = (
        "const tell = (value) => { const text = encodeURIComponent(JSON.stringify(value)); "
        "document.body.dataset.told = text; if (parent !== window) parent.postMessage(text, '*'); };"
    )
    copy = folder / f"scripted-{page.name}"
    copy.write_text(text.replace("</body>", f"<script>{tell}\n{script}</script></body>"), encoding="utf-8")
    return copy


def told(seen: Seen) -> Any:
    """What the script of `with_script` handed over."""
    found = re.search(r'data-told="([^"]*)"', seen.document)
    assert found is not None, "the script told nothing"
    return json.loads(unquote(found[1]))


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


def assert_opens_and_fits(page: Path, folder: Path, *, width: int, never: tuple[str, ...]) -> None:
    """Assert that a page logs nothing, asks for nothing, holds none of the texts `never`, and fits its window."""
    seen = look_at(page, folder, width=width, photo=False)
    assert (seen.console, seen.requests) == ([], [])
    for text in never:
        assert text not in seen.document
    script = "tell([innerWidth, document.documentElement.scrollWidth])"
    assert told(look_at(with_script(page, folder, script), folder, width=width, photo=False)) == [width, width]
