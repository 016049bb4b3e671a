"""Classify failures: which evidence wins, what the root cause is, and how hints are filled in."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.classification import FailureContext, RaisedException, classify, refine
from bskernel_executors.sdk.rules_file import Rule, When, load_rules, shared_rules
from bskernel_protocol import Failure

EXECUTORS = Path(__file__).parents[3] / "executors" / "bskernel_executors"
SHARED = shared_rules()
FAILURE = Failure(category="unknown", message="it failed")
VIVADO = [
    "INFO: [Common 17-206] Exiting Vivado at Tue",
    "ERROR: [Memdata 28-96] Could not find a BMM_INFO_DESIGN property in the design.",
    "ERROR: [Common 17-39] 'place_design' failed due to earlier errors.",
    "ERROR: [Place 30-640] Place Check : This design requires more LUT cells than are available.",
    "ERROR: [Vivado 12-13638] Failed runs(s) : 'impl_1'",
]


def test_the_first_true_error_is_the_root_cause_and_not_what_follows_it() -> None:
    declared = classify(FAILURE, FailureContext(step="s", default_category="synthesis"), [], SHARED, None)
    failure = refine(declared, FailureContext(step="s", default_category="synthesis"), VIVADO, SHARED)
    assert failure.category == "resource"
    assert failure.cause == (VIVADO[3],)
    assert failure.facts == {
        "decided_by": "message",
        "rule": "does-not-fit",
        "message_ids": ["Memdata 28-96", "Common 17-39", "Place 30-640", "Vivado 12-13638"],
    }


def test_an_error_that_only_follows_another_leaves_the_category_that_the_entry_declares() -> None:
    declared = classify(FAILURE, FailureContext(step="s", default_category="synthesis"), [], SHARED, None)
    failure = refine(declared, FailureContext(step="s", default_category="synthesis"), VIVADO[:3], SHARED)
    assert failure.category == "synthesis"
    assert failure.cause == ()


def test_a_critical_warning_counts_only_where_there_is_no_error() -> None:
    warning = "CRITICAL WARNING: [Timing 38-282] The design failed to meet the timing requirements."
    context = FailureContext(step="s", default_category="synthesis")
    declared = classify(FAILURE, context, [], SHARED, None)
    assert refine(declared, context, [warning, VIVADO[2]], SHARED).category == "timing"
    assert refine(declared, context, [warning, *VIVADO], SHARED).category == "resource"


RULES = (
    Rule(id="typed", when=When(exception=("KeyError",)), category="kernel", example=""),
    Rule(id="said", when=When(message=("Tool 1-2",)), category="licence", example="ERROR: [Tool 1-2] no"),
    Rule(
        id="text", when=When(text="(?P<layer>MVAU_[0-9]+)"), category="config", hint="fold {layer}", example="MVAU_1"
    ),
)


def raised(name: str, text: str) -> RaisedException:
    return RaisedException(names=(name,), text=text)


@pytest.mark.parametrize(
    ("error", "declared", "log", "category", "decided_by"),
    [
        (
            RaisedException(names=("KeyError",), text="MVAU_1"),
            "transform",
            "ERROR: [Tool 1-2] no",
            "kernel",
            "exception",
        ),
        (
            RaisedException(names=("ValueError",), text="MVAU_1"),
            "transform",
            "ERROR: [Tool 1-2] no",
            "licence",
            "message",
        ),
        (RaisedException(names=("ValueError",), text="MVAU_1"), "transform", "", "transform", "entry"),
        (RaisedException(names=("ValueError",), text="MVAU_1"), "unknown", "", "config", "text"),
        (RaisedException(names=("ValueError",), text="?"), "unknown", "", "unknown", "entry"),
    ],
)
def test_the_exception_s_type_comes_before_messages_before_the_entry_before_texts(
    error: RaisedException, declared: str, log: str, category: str, decided_by: str
) -> None:
    context = FailureContext(step="s", default_category=declared)  # type: ignore[arg-type]
    failure = refine(classify(FAILURE, context, [error], RULES, None), context, [log], RULES)
    assert (failure.category, failure.facts["decided_by"]) == (category, decided_by)
    if error.text == "MVAU_1" and not log:
        assert failure.hint == "fold MVAU_1"


def test_a_hint_gives_the_divisors_of_a_size() -> None:
    context = FailureContext(step="s", default_category="transform")
    text = "MVAU_rtl_0: MH (12) must be divisable by PE (currently 7)."
    raised_error = RaisedException(names=("finn.util.exception.FINNUserError",), text=text)
    failure = classify(FAILURE, context, [raised_error], load_rules(EXECUTORS / "finn_step" / "rules.toml"), None)
    assert failure.category == "config"
    assert failure.hint is not None
    assert failure.hint.startswith("PE = 7 of layer MVAU_rtl_0 does not divide MH = 12")
    assert failure.hint.endswith("divisors: 1, 2, 3, 4, 6, 12")
