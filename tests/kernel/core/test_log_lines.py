"""Whatever a step writes into its log, what is kept are lines of JSON that a terminal shows and does not obey."""

import msgspec
from bskernel.core.log_lines import last_lines, tidy_known_log, tidy_log
from bskernel_protocol import LogLine
from bskernel_protocol.controls import CONTROLS
from hypothesis import given
from hypothesis import strategies as st

LINES = st.builds(
    LogLine,
    seconds=st.floats(0, 9),
    stream=st.sampled_from(["stdout", "stderr", "progress"]),
    text=st.text(max_size=9),
).map(msgspec.json.encode)
ANYTHING = st.lists(LINES | st.binary(max_size=9), max_size=5).map(b"\n".join)


def lines_of(log: bytes) -> list[LogLine]:
    return [msgspec.json.decode(line, type=LogLine) for line in log.split(b"\n")[:-1]]


@given(ANYTHING)
def test_every_line_is_json_that_no_terminal_obeys(log: bytes) -> None:
    for tidied in (tidy_log(log), tidy_known_log(tidy_log(log))):
        lines_of(tidied)
        assert not CONTROLS.search(tidied.decode())
        assert not tidied or tidied.endswith(b"\n")
    assert tidy_log(tidy_log(log)) == tidy_log(log)
    assert len(last_lines(tidy_log(log))) <= 8


@given(st.lists(LINES, min_size=1, max_size=5))
def test_lines_of_a_log_say_the_same_afterwards(lines: list[bytes]) -> None:
    log = b"".join(line + b"\n" for line in lines)
    assert lines_of(tidy_log(log)) == lines_of(log)


def test_a_line_that_is_no_json_is_the_text_of_one() -> None:
    (line,) = lines_of(tidy_log(b"\x1b[2J\xff"))
    assert line.text == "\x1b[2J\ufffd"
    assert last_lines(tidy_log(b"a\nb" + b"c" * 5000)) == ("a", "b" + "c" * 4095 + "... (cut)")
