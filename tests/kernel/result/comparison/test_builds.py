"""What is found to differ between two builds."""

import msgspec
from bskernel.core.action import Action
from bskernel.result.comparison import FinishedBuild, FinishedStep, compare
from bskernel.result.comparison.keys import compare_keys
from bskernel.result.quantities import QuantityComparison, quantities_of
from bskernel_protocol import digest_of_bytes
from support.finished_builds import BASE, NEW, step, value


def numbers() -> dict[tuple[str, str], QuantityComparison]:
    return {(item.name, item.stage): item for item in compare(BASE, NEW).metrics}


def test_a_build_does_not_differ_from_itself() -> None:
    same = compare(NEW, NEW)
    assert same.same
    assert not same.config
    assert {found.status for found in same.steps} == {"same"}
    assert {item.change for item in same.metrics} == {0}


def test_quantities_are_compared_by_name_stage_and_source() -> None:
    found = numbers()
    halved = found["throughput", "rtlsim"]
    assert (halved.base, halved.new, halved.change, halved.relative) == (195_312.5, 97_656.25, -97_656.25, -0.5)
    assert found["resources.LUT", "estimate"].same


def test_what_is_absent_on_a_side_is_none_and_never_0() -> None:
    found = numbers()
    appeared, gone = found["resources.LUT", "synth"], found["latency", "estimate"]
    assert (appeared.base, appeared.new, appeared.change, appeared.relative) == (None, 775.0, None, None)
    assert (gone.base, gone.new, gone.change, gone.relative) == (12.0, None, None, None)


def test_a_change_is_relative_to_the_magnitude_of_the_base_and_to_0_it_is_none() -> None:
    found = numbers()
    assert found["slack", "routed"].relative == 0.5
    from_zero = found["resources.URAM", "estimate"]
    assert (from_zero.change, from_zero.relative) == (2.0, None)


def test_numbers_of_different_units_have_no_change() -> None:
    base, new = (
        FinishedBuild(label="", name="", status="ok", steps=(), metrics={"clock": [value(200, unit, "estimate")]})
        for unit in ("MHz", "kHz")
    )
    (clock,) = compare(base, new).metrics
    assert (clock.unit, clock.base_unit, clock.change, clock.same) == ("kHz", "MHz", None, False)


def test_only_what_has_the_form_of_a_quantity_is_one() -> None:
    metrics = {
        "bottleneck": "MVAU",
        "met": True,
        "layers": [{"name": "MVAU", "cycles": 3}],
        "empty": [],
        "flag": [{"value": True, "unit": "", "stage": "x", "source": "y"}],
        "deep": {"er": {"LUT": [value(1, "count", "hls") | {"note": "more"}]}},
    }
    assert [found.name for found in quantities_of(metrics)] == ["deep.er.LUT"]


def test_a_source_that_says_a_quantity_twice_loses_none() -> None:
    metrics = {"power": [value(1, "W", "routed"), value(2, "W", "routed")]}
    build = FinishedBuild(label="", name="", status="ok", steps=(), metrics=metrics)
    assert [(item.base, item.new) for item in compare(build, build).metrics] == [(1, 1), (2, 2)]


def test_steps_are_the_same_changed_added_or_removed_and_say_what_of_the_key_changed() -> None:
    found = {item.name: item for item in compare(BASE, NEW).steps}
    assert list(found) == ["tidy", "fold", "count", "report", "lint"]
    assert [item.status for item in found.values()] == ["same", "changed", "added", "same", "removed"]
    assert found["fold"].changes == ("parameter target_fps: 100000 -> 50000",)
    assert found["count"].base_executor is None
    assert found["lint"].new_executor is None


def test_one_key_with_two_results_is_a_difference() -> None:
    report = next(item for item in compare(BASE, NEW).steps if item.name == "report")
    assert (report.status, report.outputs, report.same) == ("same", ("model",), False)


def test_executors_are_told_apart_by_version_and_by_digest() -> None:
    def steps(before: FinishedStep, after: FinishedStep) -> tuple[bool, tuple[str, ...]]:
        (found,) = compare(
            FinishedBuild(label="", name="", status="ok", steps=(before,)),
            FinishedBuild(label="", name="", status="ok", steps=(after,)),
        ).steps
        return found.same_executor, found.changes

    one = step("tidy")
    assert steps(one, step("tidy", version="2")) == (False, ("executor: testing@1 -> testing@2",))
    assert isinstance(one.action, Action)
    other = msgspec.structs.replace(one.action, executor_digest=digest_of_bytes(b"other").sha256)
    edited = msgspec.structs.replace(one, action=other, key=other.key.sha256)
    same, changes = steps(one, edited)
    assert not same
    assert "testing@1 changed" in changes[0]


def test_a_step_whose_action_is_not_kept_or_that_did_not_run_says_so() -> None:
    def what(before: FinishedStep, after: FinishedStep) -> tuple[str, tuple[str, ...]]:
        (found,) = compare(
            FinishedBuild(label="", name="", status="ok", steps=(before,)),
            FinishedBuild(label="", name="", status="ok", steps=(after,)),
        ).steps
        return found.status, found.changes

    one, two = step("fold", n=1), step("fold", n=2)
    bare = msgspec.structs.replace(two, action=None)
    assert what(one, bare) == ("changed", ("unknown which part of the key: its action is not recorded in B",))
    assert what(msgspec.structs.replace(one, action=None), one) == ("same", ())
    skipped = FinishedStep(name="fold", executor="testing@1", status="skipped")
    assert what(one, skipped) == ("unknown", ("it was skipped in B",))


def test_keys_of_the_configuration_are_compared_through_tables_and_lists_of_tables() -> None:
    base = {"step": [{"entry": "a:one", "n": 1}, {"entry": "a:two", "name": "two"}], "salt": ""}
    new = {"step": [{"entry": "a:zero"}, {"entry": "a:one", "n": 2}, {"entry": "a:two", "name": "two"}], "salt": ""}
    assert [(change.key, change.base, change.new) for change in compare_keys(base, new)] == [
        ('step."a:one".n', 1, 2),
        ('step."a:zero".entry', None, "a:zero"),
    ]


def test_a_dotted_key_is_not_a_table_nor_true_the_number_1() -> None:
    changes = compare_keys({"a.b": 1, "on": 1}, {"a": {"b": 1}, "on": True})
    assert [(change.key, change.base, change.new) for change in changes] == [
        ("a.b", None, 1),
        ('"a.b"', 1, None),
        ("on", 1, True),
    ]


def test_a_build_without_its_configuration_is_named() -> None:
    old = msgspec.structs.replace(BASE, config=None)
    found = compare(old, NEW)
    assert (found.config, found.config_missing) == (None, ("A",))


def test_plain_findings_of_the_metrics_are_compared_and_layers_by_name() -> None:
    assert [(fact.key, fact.base, fact.new) for fact in compare(BASE, NEW).facts] == [
        ("bottleneck", "MVAU_rtl_0", "MVAU_rtl_1"),
        ("layers.MVAU_rtl_0.cycles", 1024, 2048),
        ("layers.MVAU_rtl_0.folding.SIMD", 2, 1),
    ]
