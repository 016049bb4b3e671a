"""Errors of a configuration name the key and say in words what it takes."""

import contextlib
import math
from typing import Any

import pytest
from bskernel.config import Config
from bskernel.config.decoder import convert
from bskernel.config.type_words import describe_value, suggest_value
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from hypothesis import given
from hypothesis import strategies as st

MODEL = {"model": "net.onnx"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"build": {}}, "build: the key 'model' is missing"),
        ({"build": 3}, "build: must be a table, such as { key = 1 }, not the number 3"),
        (
            {"executors": {"a": "1", "finn-step": 3}},
            "executors.finn-step: must be a text in quotes, not",
        ),
        (
            {"step": {"tidy": {"timeout_s": "x"}}},
            "step.tidy.timeout_s: must be a number, such as 5.0",
        ),
        ({"step": {"tidy": {"paramters": {}}}}, "unknown key 'paramters' at [step.tidy]; did you mean 'parameters'?"),
        ({"step": {"tidy": {"inputs": {"a": []}}}}, "step.tidy.inputs.a: must be a text in quotes, not a list of 0"),
        ({"limits": {"resources": {"a": 1, "b": "c"}}}, "limits.resources.b: must be a whole number"),
        ({"flow": {"edit": {"remove": ["a", 2]}}}, "flow.edit.remove[1]: must be a text in quotes, not the number 2"),
        ({"quality": {"verify": "Stages"}}, "quality.verify: 'Stages' is not a choice"),
        ({"target": {"freq_mhz": 333}}, "did you mean clock_ns = 3.003003 (333 MHz)?"),
        ({"target": {"clock_mhz": "fast"}}, "did you mean clock_ns (a period: 200 MHz is 5.0)?"),
        ({"target": {"board": ""}}, "target.board is empty"),
    ],
)
def test_a_value_of_another_type_is_told_by_its_whole_key(data: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert({"build": MODEL, **data}, Config, "build.toml")
    assert caught.value.message.startswith("build.toml: ")
    assert told in caught.value.message
    assert "`" not in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["build", "target", "step", "limits", "quality", "flow", "tools"]), JSON))
def test_any_data_is_a_configuration_or_an_error_of_the_user(data: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        convert({"build": MODEL, **data}, Config, "build.toml")


@given(st.integers(-(10**14), 10**14))
def test_a_number_in_quotes_is_given_back_as_the_number(number: int) -> None:
    for text in (str(number), f"{number:_}", f"{number:,}", f" {number} "):
        assert suggest_value(text, ["int", "null"]) == f"{number:_}"


@given(JSON)
def test_what_is_suggested_is_of_the_type_that_is_wanted(value: Any) -> None:
    assert describe_value(value)
    suggested = suggest_value(value, ["float"])
    assert suggested is None or math.isfinite(float(suggested))
    assert suggest_value(value, ["bool"]) in {None, "true", "false"}


def test_a_name_in_another_case_is_recognised_and_of_many_only_the_nearest_are_listed() -> None:
    assert choices("zcu104", ["ZCU102", "ZCU104"], "boards") == "did you mean 'ZCU104'? boards: ZCU102, ZCU104"
    many = [f"name{number}" for number in range(70)]
    told = choices("nam7", many, "names")
    assert told.startswith("did you mean 'name7'? the nearest of 70 names: name7, ")
    assert told.count(",") == 4
