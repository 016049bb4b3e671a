"""Rules of failures: every one is sound, reached by its own example, and no earlier rule takes it away."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.deciding import About, Raised, by_exception, by_log, by_text, decide, refine
from bskernel_executors.sdk.rules_file import Rule, RulesFile, When, load_rules, shared_rules
from bskernel_protocol import Failure

EXECUTORS = Path(__file__).parents[2] / "executors" / "bskernel_executors"
SHARED = shared_rules()
OWN = {path.parent.name: load_rules(path) for path in sorted(EXECUTORS.glob("*/rules.toml"))}
FAILURE = Failure(category="unknown", message="it failed")
CASES = [
    pytest.param(rule, (*own, *SHARED), id=f"{name}-{rule.id}")
    for name, own in {"": (), **OWN}.items()
    for rule in (own or SHARED)
]


def match_of(rule: Rule, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule that is found for a rule's example, by the way of deciding that the rule belongs to."""
    entry = (rule.when.entry or ("",))[0]
    if rule.when.message or rule.when.log:
        match = by_log(rules, entry, [rule.example])
    else:
        names = (*rule.when.exception, "Exception")
        raised = Raised(
            names=names, text=rule.example, raised_in=f"package.{rule.when.raised_in or 'module.function'}"
        )
        match = by_exception(rules, entry, [raised]) if rule.when.exception else by_text(rules, entry, [raised])
    return match.rule if match is not None else None


@pytest.mark.parametrize(("rule", "rules"), CASES)
def test_each_rule_applies_to_its_example_and_no_earlier_one_takes_it(rule: Rule, rules: tuple[Rule, ...]) -> None:
    if not rule.is_cause:
        assert match_of(rule, rules) is None
        return
    assert match_of(rule, rules) is rule


def test_ids_are_unique() -> None:
    for own in ((), *OWN.values()):
        ids = [rule.id for rule in (*own, *SHARED)]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"when": When()}, "needs exception, message, log or text"),
        ({"when": When(exception=("ValueError",), log="x")}, "by one of"),
        ({"when": When(text="x"), "hint": None}, "says nothing"),
        ({"when": When(text="x"), "role": "reason"}, "'reason' is none of"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Rule(**{"id": "r", "hint": "do this", "example": "x", **fields})  # type: ignore[arg-type]


def test_a_hint_that_names_what_is_no_group_is_refused() -> None:
    rule = Rule(id="r", when=When(text="(?P<layer>x)"), hint="{layer} {lair}", example="x")
    with pytest.raises(ValueError, match="'lair'"):
        RulesFile(rule=(rule,))
    assert RulesFile(rule=(rule,), values=("lair",))


def test_a_rules_file_with_an_unknown_category_or_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\nid = "r"\nwhen = { text = "x" }\ncategory = "bad luck"\nexample = "x"\n')
    with pytest.raises(ValueError, match=r"rules\.toml: Invalid enum value 'bad luck'"):
        load_rules(path)


VIVADO = [
    "INFO: [Common 17-206] Exiting Vivado at Tue",
    "ERROR: [Memdata 28-96] Could not find a BMM_INFO_DESIGN property in the design.",
    "ERROR: [Common 17-39] 'place_design' failed due to earlier errors.",
    "ERROR: [Place 30-640] Place Check : This design requires more LUT cells than are available.",
    "ERROR: [Vivado 12-13638] Failed runs(s) : 'impl_1'",
]


def test_the_first_true_error_is_the_root_cause_and_not_what_follows_it() -> None:
    declared = decide(FAILURE, About(step="s", declared="synthesis"), [], SHARED, None)
    failure = refine(declared, About(step="s", declared="synthesis"), VIVADO, SHARED)
    assert failure.category == "resource"
    assert failure.cause == (VIVADO[3],)
    assert failure.facts == {
        "decided_by": "message",
        "rule": "does-not-fit",
        "message_ids": ["Memdata 28-96", "Common 17-39", "Place 30-640", "Vivado 12-13638"],
    }


def test_an_error_that_only_follows_another_leaves_the_category_that_the_entry_declares() -> None:
    declared = decide(FAILURE, About(step="s", declared="synthesis"), [], SHARED, None)
    failure = refine(declared, About(step="s", declared="synthesis"), VIVADO[:3], SHARED)
    assert failure.category == "synthesis"
    assert failure.cause == ()


def test_a_critical_warning_counts_only_where_there_is_no_error() -> None:
    warning = "CRITICAL WARNING: [Timing 38-282] The design failed to meet the timing requirements."
    about = About(step="s", declared="synthesis")
    declared = decide(FAILURE, about, [], SHARED, None)
    assert refine(declared, about, [warning, VIVADO[2]], SHARED).category == "timing"
    assert refine(declared, about, [warning, *VIVADO], SHARED).category == "resource"


RULES = (
    Rule(id="typed", when=When(exception=("KeyError",)), category="kernel", example=""),
    Rule(id="said", when=When(message=("Tool 1-2",)), category="licence", example="ERROR: [Tool 1-2] no"),
    Rule(
        id="text", when=When(text="(?P<layer>MVAU_[0-9]+)"), category="config", hint="fold {layer}", example="MVAU_1"
    ),
)


@pytest.mark.parametrize(
    ("raised", "declared", "log", "category", "decided_by"),
    [
        (Raised(names=("KeyError",), text="MVAU_1"), "transform", "ERROR: [Tool 1-2] no", "kernel", "exception"),
        (Raised(names=("ValueError",), text="MVAU_1"), "transform", "ERROR: [Tool 1-2] no", "licence", "message"),
        (Raised(names=("ValueError",), text="MVAU_1"), "transform", "", "transform", "entry"),
        (Raised(names=("ValueError",), text="MVAU_1"), "unknown", "", "config", "text"),
        (Raised(names=("ValueError",), text="?"), "unknown", "", "unknown", "entry"),
    ],
)
def test_the_exception_s_type_comes_before_messages_before_the_entry_before_texts(
    raised: Raised, declared: str, log: str, category: str, decided_by: str
) -> None:
    about = About(step="s", declared=declared)  # type: ignore[arg-type]
    failure = refine(decide(FAILURE, about, [raised], RULES, None), about, [log], RULES)
    assert (failure.category, failure.facts["decided_by"]) == (category, decided_by)
    if raised.text == "MVAU_1" and not log:
        assert failure.hint == "fold MVAU_1"


def test_a_hint_gives_the_divisors_of_a_size() -> None:
    about = About(step="s", declared="transform")
    text = "MVAU_rtl_0: MH (12) must be divisable by PE (currently 7)."
    raised = Raised(names=("finn.util.exception.FINNUserError",), text=text)
    failure = decide(FAILURE, about, [raised], OWN["finn_step"], None)
    assert failure.category == "config"
    assert failure.hint is not None
    assert failure.hint.startswith("PE = 7 of layer MVAU_rtl_0 does not divide MH = 12")
    assert failure.hint.endswith("divisors: 1, 2, 3, 4, 6, 12")
