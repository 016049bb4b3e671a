"""board.json: the design on a board and the frames that it is held to, as rtl-sim's `wrap_board` writes them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.board.answers import Facts, Frames
from bskernel.core.errors import ConfigError

FACTS, FRAMES, EXPECTED = "board.json", "frames.bin", "expected.bin"


def read_frames(folder: Path) -> Frames:
    """Read the folder `artifacts/board` of a build. Raises ConfigError."""
    try:
        facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
        inputs, expected = ((folder / name).read_bytes() for name in (FRAMES, EXPECTED))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{error.filename}: no such file: this build has no board",
            hint='build with flow = "board" and a target.board',
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{folder}: cannot be read: {error}", hint="run the build again") from error
    sizes = (facts.frames * facts.input.frame_bytes, facts.frames * facts.output.frame_bytes)
    if (len(inputs), len(expected)) != sizes:
        raise ConfigError(
            f"{folder}: its files hold {len(inputs)} and {len(expected)} bytes in place of {sizes[0]} and {sizes[1]}",
            hint="run the build again",
        )
    return Frames(facts=facts, inputs=inputs, expected=expected)
