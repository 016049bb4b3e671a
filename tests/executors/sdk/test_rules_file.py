"""Rules of failures: every one is sound, reached by its own example, and no earlier rule takes it away."""

from pathlib import Path

import pytest
from bskernel_executors.sdk.classification import RaisedException, match_exception, match_log, match_text
from bskernel_executors.sdk.rules_file import Rule, RulesFile, When, load_rules, shared_rules

EXECUTORS = Path(__file__).parents[3] / "executors" / "bskernel_executors"
SHARED = shared_rules()
OWN = {path.parent.name: load_rules(path) for path in sorted(EXECUTORS.glob("*/rules.toml"))}
CASES = [
    pytest.param(rule, (*own, *SHARED), id=f"{name}-{rule.id}")
    for name, own in {"": (), **OWN}.items()
    for rule in (own or SHARED)
]


def match_of(rule: Rule, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule that is found for a rule's example, by the way of deciding that the rule belongs to."""
    entry = (rule.when.entry or ("",))[0]
    if rule.when.message or rule.when.log:
        match = match_log(rules, entry, [rule.example])
    else:
        names = (*rule.when.exception, "Exception")
        raised = RaisedException(
            names=names, text=rule.example, raised_in=f"package.{rule.when.raised_in or 'module.function'}"
        )
        match = match_exception(rules, entry, [raised]) if rule.when.exception else match_text(rules, entry, [raised])
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
        ({"when": When(exception=("ValueError",), log="x")}, "only one of"),
        ({"when": When(text="x"), "hint": None}, "needs a category or a hint"),
        ({"when": When(text="x"), "role": "reason"}, "unknown role 'reason'; choose from cause"),
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
