"""The failure of an exception: its root cause, category and facts."""

import pytest
from bskernel_executors.sdk.causes import make_failure
from bskernel_executors.sdk.classification import FailureContext
from bskernel_executors.sdk.step import StepFailure


def test_of_a_chain_the_first_cause_is_named_and_an_entry_s_own_category_stays() -> None:
    def fail() -> None:
        try:
            int("many")
        except ValueError as error:
            raise StepFailure(category="kernel", message="no layer") from error

    with pytest.raises(StepFailure) as caught:
        fail()
    failure = make_failure(caught.value, FailureContext(step="s", default_category="transform"))
    assert (failure.category, failure.message) == ("kernel", "no layer")
    assert failure.facts == {"exception": "ValueError", "decided_by": "step"}
    assert failure.cause[-1] == "ValueError: invalid literal for int() with base 10: 'many'"


def test_a_memory_error_anywhere_in_the_chain_is_lack_of_memory_with_its_limit() -> None:
    error = RuntimeError("cannot run the model")
    error.__cause__ = MemoryError("8 GiB")
    failure = make_failure(error, FailureContext(step="s", default_category="transform"), memory_mib=512)
    assert failure.category == "out_of_memory"
    assert failure.facts["limit_mib"] == 512
    assert failure.facts["peak_mib"] > 0
    assert "limit of 512 MiB" in failure.message
