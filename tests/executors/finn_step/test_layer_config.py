"""A user's folding file: every entry has an effect, or the step fails and says which has none."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.finn_step.layer_config import check_layer_config, read_layer_config, refuse_unknown
from bskernel_executors.sdk import StepFailure
from hypothesis import given
from hypothesis import strategies as st

LAYERS: dict[str, Any] = {
    "MVAU_rtl_0": {
        "PE": ("i", True, 0),
        "ram_style": ("s", False, "auto", {"auto", "block"}),
        "inFIFODepths": ("ints", False, [2]),
        "scale": ("f", False, 1.0),
    },
    "Thresholding_rtl_0": {"PE": ("i", True, 0)},
}


def check(config: dict[str, Any]) -> None:
    check_layer_config(config, "folding_config", LAYERS)


def failure_of(config: dict[str, Any]) -> StepFailure:
    with pytest.raises(StepFailure) as caught:
        check(config)
    assert caught.value.failure.category == "config"
    return caught.value


def read(folder: Path, text: str) -> dict[str, dict[str, Any]]:
    (folder / "folding.json").write_text(text)
    return read_layer_config(folder / "folding.json", "folding_config")


def test_a_file_that_fits_the_network_is_accepted() -> None:
    check({"Defaults": {"mem_mode": ["internal_decoupled", ["MVAU_rtl"]]}, "Thresholding_rtl_0": {"PE": 2}})
    check({"MVAU_rtl_0": {"PE": 2, "ram_style": "block", "inFIFODepths": [2, 2], "scale": 0.5}})


def test_what_later_steps_insert_is_no_unknown_layer_so_finn_s_own_final_file_fits() -> None:
    check({"StreamingFIFO_rtl_3": {"depth": 32}, "StreamingDataWidthConverter_rtl_0": {}, "MVAU_rtl_0": {"PE": 1}})


def test_an_unknown_layer_is_refused_with_the_nearest_names() -> None:
    failure = failure_of({"MVAU_rtl_99": {"PE": 2}, "Thresholding_0": {"PE": 2}}).failure
    assert failure.message == "folding_config: the design has no layer 'MVAU_rtl_99', 'Thresholding_0'"
    assert failure.hint is not None
    assert failure.hint.startswith("did you mean MVAU_rtl_0")
    assert "layers of the design: MVAU_rtl_0, Thresholding_rtl_0" in failure.hint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"PEE": 2}, "folding_config: MVAU_rtl_0 has no attribute 'PEE'"),
        ({"PE": "2"}, 'folding_config: MVAU_rtl_0: PE must be a whole number, but is "2"'),
        ({"PE": 2.0}, "folding_config: MVAU_rtl_0: PE must be a whole number, but is 2.0"),
        ({"PE": None}, "folding_config: MVAU_rtl_0: PE must be a whole number, but is null"),
        ({"inFIFODepths": 2}, "folding_config: MVAU_rtl_0: inFIFODepths must be a list of whole numbers, but is 2"),
        ({"scale": 1}, "folding_config: MVAU_rtl_0: scale must be a number with a decimal point, but is 1"),
        ({"ram_style": "ultra"}, 'folding_config: MVAU_rtl_0: ram_style is "ultra"'),
    ],
)
def test_an_attribute_that_does_not_fit_is_refused_with_file_layer_and_attribute(
    given: dict[str, Any], message: str
) -> None:
    assert str(failure_of({"MVAU_rtl_0": given})) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"MVAU_rtl_0": {"PE": 16,}}', "the file is not JSON"),
        ('{"MVAU_rtl_0": {}, "MVAU_rtl_0": {}}', "'MVAU_rtl_0' is there twice"),
        ("[1]", "the file holds a list"),
        ('{"MVAU_rtl_0": 4}', "MVAU_rtl_0: a number instead of an object"),
        ('{"Defaults": {"PE": 1}}', "Defaults.PE must be a list of values"),
        ('{"Defaults": {"PE": [1]}}', "Defaults.PE must be a list of values"),
    ],
)
def test_a_file_of_another_form_is_refused_by_the_key_of_its_input(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StepFailure, match=r"^folding_config: ") as caught:
        read(tmp_path, text)
    assert message in caught.value.failure.message
    assert caught.value.failure.category == "config"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    with contextlib.suppress(StepFailure):
        assert read(tmp_path_factory.mktemp("any"), json.dumps(value)) == value


def test_names_that_all_exist_are_not_refused() -> None:
    refuse_unknown("fifo_config", "FIFO", [], ["StreamingFIFO_rtl_0"])
