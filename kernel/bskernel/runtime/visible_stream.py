"""What a program prints in the foreground, passed on to the terminal without what a terminal obeys."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator, Mapping
from typing import IO, TextIO

from bskernel.core.visible_text import visible
from bskernel.host.thread import Thread

_LEFT_S = 2.0


class VisibleStream:
    """Passes bytes on as they come, so that a prompt without a line feed appears too."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> None:
        """Show bytes; a character that is not whole yet waits for its rest."""
        # What tools end their lines with on some systems overwrites nothing.
        self._target.write(visible(self._decoder.decode(data).replace("\r\n", "\n")))
        self._target.flush()


@contextlib.contextmanager
def copied_visibly(streams: Mapping[IO[bytes] | None, TextIO]) -> Iterator[None]:
    """Pass on what comes from a child's pipes during the context, at whose end the child has ended."""
    threads = [
        Thread(target=_copy, args=(source, VisibleStream(target)), daemon=True)
        for source, target in streams.items()
        if source is not None
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(_LEFT_S)  # what the child has left running may hold the pipe for ever


def _copy(source: IO[bytes], target: VisibleStream) -> None:
    while data := getattr(source, "read1", source.read)(1 << 16):
        target.write(data)
