"""Nothing that a terminal obeys survives, and everything else stays as it is."""

import json
import unicodedata

import pytest
from bskernel.core.visible_text import visible, visible_line, visible_name
from bskernel_protocol import pretty_json
from bskernel_protocol.controls import escape_json_bytes
from hypothesis import given
from hypothesis import strategies as st

BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
TEXTS = st.text(st.characters(), max_size=30) | st.text(
    st.sampled_from("\x00\x1b\x9b\r\n\t\x7f\u202eab\\"), max_size=30
)


def is_obeyed(letter: str) -> bool:
    return (unicodedata.category(letter) in {"Cc", "Zl", "Zp"} and letter not in "\n\t") or letter in BIDIRECTIONAL


@given(TEXTS)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not any(map(is_obeyed, visible(text)))
    assert not any(map(is_obeyed, visible_line(text)))
    assert not set(visible_line(text)) & {"\n", "\t"}


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
def test_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == visible_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;t\x07", r"\x1b]0;t\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("100%\rok", r"100%\rok"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\tb\n", "a\tb\n"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_an_escape_says_what_was_there(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_name_is_shown_on_one_line_whatever_its_bytes() -> None:
    assert visible_name(b"a\xff\n\x1b".decode("utf-8", "surrogateescape")) == r"a\xff\n\x1b"


@given(TEXTS.filter(lambda text: text.isprintable() or "\ud800" not in text))
def test_json_keeps_its_data_and_shows_nothing_that_a_terminal_obeys(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    written = pretty_json({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not any(map(is_obeyed, written))
    raw = escape_json_bytes(json.dumps(text, ensure_ascii=False).encode())
    assert json.loads(raw) == text
    assert not any(map(is_obeyed, raw.decode()))
