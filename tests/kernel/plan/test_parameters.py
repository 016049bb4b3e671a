"""Values of parameters: checked by their schemas, refused in the words of who wrote them."""

from typing import Any

import pytest
from bskernel.core.errors import ConfigError
from bskernel.plan.parameters import check_value
from bskernel_protocol import ParameterDescription

BUDGET = ParameterDescription(
    name="budget",
    schema={
        "$ref": "#/$defs/Budget",
        "$defs": {
            "Budget": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"LUT": {"type": "number", "minimum": 0}, "DSP": {"type": "number", "default": 0.9}},
            }
        },
    },
    help="most of each",
)


def refusal(value: Any) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        check_value(BUDGET, value, "build.toml: target.budget", {})
    return error.value


def test_an_unknown_key_of_a_table_is_named_with_the_choices_and_what_was_written_alone() -> None:
    error = refusal({"LUTs": 0.5})
    assert str(error) == "build.toml: target.budget = {'LUTs': 0.5}: unknown key 'LUTs'"
    assert error.hint == "did you mean 'LUT'? keys: LUT, DSP"


def test_a_wrong_value_in_a_table_is_named_by_its_key() -> None:
    assert str(refusal({"LUT": -1})).startswith("build.toml: target.budget = {'LUT': -1}: LUT must be")


def test_a_value_keeps_the_form_in_which_it_was_written() -> None:
    assert check_value(BUDGET, {"LUT": 0.5}, "here", {}) == {"LUT": 0.5}
