"""Messages point to the line of the key that they name."""

import pytest
from bskernel.report.config_lines import find_line, find_step, find_value, key_lines
from hypothesis import given
from hypothesis import strategies as st

TEXT = '''\
# comment
build.model = "net.onnx"

[target] # here
board = "ZCU104"
"clock_ns" = 5.0

[parameters.finn-step]
note = """
[quality]
samples = "in a string"
"""

[[step]]
entry = "testing:double"
[[step]]
name = "again"
parameters = { how = "x" }

[step.step_streamline]
timeout_s = 600

[flow.edit]
remove = [
  "step_one",
]
'''


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("target.board: unknown board 'ZCU1O4'", 5),
        ("target.clock_ns = 200 is a clock of 5 MHz; did you mean 5 ns (200 MHz)?", 6),
        ("unknown key 'note' at [parameters.finn-step]", 9),
        ("unknown key 'model' at the top level", None),
        ("build.flow: there is none", 2),  # the table, where the key has its default
        ("step[1].parameters: must be a table, not 1", 18),
        ("step[0]: no executor given", 14),
        ("[step.step_streamline]: no such step", 20),
        ("flow.edit.remove: 'step_one' does not exist", 24),
        ("not valid TOML: Invalid value (at line 3, column 5)", 3),
        ("line 7 is not UTF-8: byte 0xff", 7),
        ("there is no such thing as a model", None),
        ("quality.samples: no such file", None),  # what looks like a key is text
    ],
)
def test_a_message_points_to_the_key_or_its_table(message: str, line: int | None) -> None:
    assert find_line(TEXT, message) == line


def test_a_step_is_found_by_its_table_or_its_name() -> None:
    assert find_step(TEXT, "step_streamline") == 20
    assert find_step(TEXT, "again") == 17
    assert find_step(TEXT, "double") is None
    assert find_value(TEXT, "ZCU104") == 5


@given(st.text(alphabet="[]\".'=#ab \n0-", max_size=80), st.text(max_size=80))
def test_any_text_and_message_give_a_line_of_the_text_or_none(text: str, message: str) -> None:
    lines = max(len(text.splitlines()), 1)
    assert all(1 <= line <= lines for line in key_lines(text).values())
    found = find_line(text, message)
    assert found is None or found >= 1
