"""What of the executor brainsmith needs no Brainsmith."""

import pytest
from bskernel.blueprint.fields import entry_of, step_of
from bskernel_executors.brainsmith.known_steps import FAILURES, NEEDS_VIVADO, STAGES
from bskernel_executors.brainsmith.step_names import entry_name, list_names, step_name


@pytest.mark.parametrize("name", ["tidy_up", "finn:tidy_up", "brainsmith:build_hw_graph"])
def test_a_step_s_name_is_an_entry_s_and_back_for_the_executor_and_for_blueprints(name: str) -> None:
    entry = entry_name(name)
    assert ":" not in entry
    assert step_name(entry) == name
    assert entry_of(name) == f"brainsmith:{entry}"
    assert step_of("brainsmith", entry, "any") == name


@pytest.mark.parametrize("name", ["a.b", "a:b:c"])
def test_a_name_that_could_not_be_told_back_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="has no entry"):
        entry_name(name)


def test_a_step_may_be_asked_for_by_its_short_name_too() -> None:
    assert list_names(["finn:tidy_up", "brainsmith:qonnx_to_finn", "finn:qonnx_to_finn"]) == (
        "brainsmith:qonnx_to_finn", "finn:qonnx_to_finn", "finn:tidy_up", "qonnx_to_finn", "tidy_up",
    )  # fmt: skip


def test_stages_follow_one_another() -> None:
    reached = {"onnx", "qonnx"} | {stage for _, stage in STAGES.values()}
    assert {stage for stages, _ in STAGES.values() for stage in stages} <= reached
    assert set(FAILURES) - set(STAGES) <= NEEDS_VIVADO | {"make_driver", "deployment_package"}
