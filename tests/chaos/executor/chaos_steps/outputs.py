"""What the step prints, records and says of its progress."""

import os
import sys
import time
from typing import Any

import msgspec
from bskernel_executors.sdk import Step, StepFailure
from bskernel_protocol.layout import LOG, RESULT

from .behaviour import Aims, behaviour

ESCAPES = {
    "title": "\x1b]0;owned\x07",
    "clear": "\x1b[2J\x1b[H",
    "csi8": "\x9b2J",
    "link": "\x1b]8;;http://example.invalid\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;b3duZWQ=\x07",
    "backspaces": "ok\x08\x08no",
    "delete": "\x7f\x7f",
    "bell": "\x07" * 20,
    "report": "\x1b[6n\x1b[c",
    "nul": "a\0b",
    "carriage": "harmless\rharmful",
}
VALUES = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "huge": 10**400,
    "surrogate": "\ud800",
    "bytes": b"\xff",
    "set": {1},
    "nested": None,  # made below
    "large": "x" * 20_000_000,
    "keys": {1: 2},
    "escape": "\x1b[2J",
    "minus": -(2**63),
}
SUMMARIES = {
    "text": "all is well",
    "numbers": [1, 2],
    "no-label": [{"value": "1"}],
    "label-number": [{"label": 3, "value": 4, "note": 5}],
    "nested": [{"label": "a", "value": {"b": ["c"]}, "note": None}],
    "null": None,
    "warning": [{"label": "warning"}],
    "warning-number": [{"label": "warning", "value": 3}],
    "escape": [{"label": "\x1b[2J", "value": "\x1b]0;owned\x07", "note": "\x9b2J"}],
    "many": [{"label": "a", "value": "b"}] * 100_000,
    "newline": [{"label": "a\nb", "value": "c\nd"}],
}


METRICS = {
    "no-json": b"{",
    "no-utf8": b"\xff",
    "list": b"[1]",
    "nan": b'{"a": NaN}',
    "deep": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "empty": b"",
}
ODD_METRICS = {
    "escape": b'{"\\u001b[2J": [{"value": 1, "unit": "\\u001b[2J", "stage": "x", "source": "y"}]}',
    "shapes": b'{"a": [{"value": "1"}], "b": {"c": null}, "": [], "d": [[]], "quality": 3, "coverage": [1]}',
    "large-numbers": b'{"a": [{"value": 1e308, "unit": "", "stage": "", "source": ""}], "b": 1234567890123456789012}',
}


@behaviour("failed", variants=METRICS)
def measures(step: Step[Any], aims: Aims, data: bytes) -> None:
    step.output("metrics").write_bytes(data)


@behaviour("ok", variants=ODD_METRICS)
def measures_oddly(step: Step[Any], aims: Aims, data: bytes) -> None:
    step.output("metrics").write_bytes(data)


@behaviour("ok", variants=ESCAPES)
def prints(step: Step[Any], aims: Aims, text: str) -> None:
    print(text)
    print(text, file=sys.stderr)
    step.progress(text)


@behaviour("failed", variants=ESCAPES)
def fails_saying(step: Step[Any], aims: Aims, text: str) -> None:
    raise StepFailure(message=f"it failed: {text}", hint=f"do {text}", cause=(text, f"and {text}"))


@behaviour("failed", variants=ESCAPES)
def raises(step: Step[Any], aims: Aims, text: str) -> None:
    print(text)
    raise ValueError(text)


@behaviour(variants=VALUES)
def records(step: Step[Any], aims: Aims, value: Any) -> None:
    if value is None:
        for _ in range(3000):
            value = [value]
    step.facts["value"] = value


@behaviour(variants=SUMMARIES)
def summarises(step: Step[Any], aims: Aims, rows: Any) -> None:
    step.facts["summary"] = rows


@behaviour(variants={"lines": b"line\n", "one-line": b"x" * 4096, "empty": b"\n", "binary": bytes(range(256)) * 16})
def floods(step: Step[Any], aims: Aims, chunk: bytes) -> None:
    for _ in range(40_000_000 // max(1024, len(chunk) * 64)):
        os.write(1, chunk * 64)


@behaviour()
def floods_progress(step: Step[Any], aims: Aims) -> None:
    for number in range(50_000):
        step.progress(f"at {number}")


@behaviour(variants={"huge": 1 << 30, "lines": 0})
def grows_log(step: Step[Any], aims: Aims, size: int) -> None:
    with (step.directory / LOG).open("ab") as log:
        if size:
            log.truncate(size)
        else:
            log.write(b"{]\n\xff\xfe\n" * 1_000_000)


@behaviour(
    variants={
        "empty": b"",
        "garbage": b"\xff" * 100,
        "null": b"\xc0",
        "nested": b"\x91" * 100_000,
        "huge-text": b"\xdb\xff\xff\xff\xff",
        "huge-map": b"\xdf\xff\xff\xff\xff",
        "extension": b"\xc7\x05\x01hello",
    }
)
def writes_result(step: Step[Any], aims: Aims, data: bytes) -> None:
    (step.directory / RESULT).write_bytes(data)
    os._exit(0)


@behaviour(
    variants={
        "other-step": {"step": "sibling"},
        "outputs": {"outputs": ["../../../x", "model"]},
        "record": {"record": {"summary": [[]]}},
        "failure": {
            "failure": {"type": "failure", "category": "config", "message": "\x1b[2J", "facts": {"a": [[[]]]}}
        },
        "protocol": {"protocol": 10**9},
        "large-number": {"record": {"n": 2**64 - 1}},
    }
)
def forges_result(step: Step[Any], aims: Aims, fields: dict[str, Any]) -> None:
    document = {"type": "step-result", "protocol": 2, "step": step.name, "outputs": ["model"], "record": {}} | fields
    (step.directory / RESULT).write_bytes(msgspec.msgpack.encode(document))
    os._exit(0)


@behaviour("ok")
def closes_streams(step: Step[Any], aims: Aims) -> None:
    for fd in (0, 1, 2):
        os.close(fd)


@behaviour("ok")
def keeps_silent(step: Step[Any], aims: Aims) -> None:
    """A step that computes and says nothing is no stuck one."""
    time.sleep(3)
