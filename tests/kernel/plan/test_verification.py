"""Which steps belong to a build, where checks go, and what lies between two of them."""

from pathlib import Path
from typing import Any

import pytest
from bskernel.core.errors import ConfigError
from bskernel.core.step import ExecutorRef, FromFile, FromStep, Source, Step
from bskernel.flow.conditions import holds, keys_in, value_keys
from bskernel.plan.verification import AddedCheck, checks_after_every_step, transformations
from bskernel_protocol import EntryDescription, OutputDescription

VALUES: dict[str, Any] = {"quality.verify": "stages", "target.target_fps": 100}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ((), True),
        ("target.target_fps", True),
        ("quality.float_model", False),
        ("quality.verify = stages", True),
        ("quality.verify != off", True),
        ("quality.verify!=stages", False),
        ("quality.samples != x", True),
        ("target.target_fps = 100", True),
        (("quality.verify != off", "quality.float_model"), False),
        (("quality.verify != off", "target.target_fps"), True),
        ('quality.verify == "stages"', True),
        ("quality.verify != 'stages'", False),
        ("target.target_fps > 99 and quality.verify", True),
        ("target.target_fps > 99 and quality.samples", False),
        ("quality.float_model or not quality.samples", True),
        ("not (target.target_fps / 2 >= 50)", False),
        ("quality.samples == quality.labels", False),  # neither is set, and what is not set equals nothing
        ("quality.samples and quality.limit > 10", False),  # the limit is not set, but nothing asks for it
        (("quality.samples", "quality.limit > 10"), False),
    ],
)
def test_a_step_belongs_to_a_build_when_all_its_conditions_hold(condition: Any, expected: bool) -> None:
    assert holds(condition, VALUES, "flow") is expected


@pytest.mark.parametrize(
    ("condition", "needles"),
    [
        ("quality.verfy", ["step samples", "quality.verfy", "quality.verify"]),
        ("quality.verify > ", ["step samples: when", "is not a condition: column 18", "KEY != VALUE"]),
        (
            "quality.verify > 3",
            ["step samples: when: 'quality.verify > 3': quality.verify is 'stages'", "not a number"],
        ),
        ("quality.limit > 3", ["step samples: when: 'quality.limit > 3': quality.limit is not set"]),
        ("quality.verify == off", ["no build has the key 'off'", "a text is written in quotes"]),
        ('quality.verify = "off"', ["is not a condition: column 16", "write `==`"]),
        ("quality.samples and nosuch.key", ["no build has the key 'nosuch.key'"]),
        (("quality.float_model", "nosuch"), ["nosuch"]),
    ],
)
def test_a_condition_that_no_build_can_meet_is_refused_with_the_choices(condition: Any, needles: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        holds(condition, VALUES, "step samples")
    for needle in needles:
        assert needle in f"{error.value.message} {error.value.hint}"


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("target.clock_ns = 5", {"target.clock_ns": 5.0}, False),
        ("target.clock_ns = 5.0", {"target.clock_ns": 5.0}, True),
        ("target.clock_ns != 5", {"target.clock_ns": 5.0}, True),
        ("(target.clock_ns != 5)", {"target.clock_ns": 5.0}, False),
        ("target.clock_ns == 5", {"target.clock_ns": 5.0}, True),
        ("quality.samples = None", {}, True),
        ("target.part=xc7z020-1", {"target.part": "xc7z020-1"}, True),
        ("target.part != target.board", {"target.part": "target.board"}, False),
        ("  quality.samples = a/b=c.npz\n", {"quality.samples": "a/b=c.npz"}, True),
        ("quality.metric = (x", {"quality.metric": "(x"}, True),
    ],
)
def test_a_text_without_quotes_beside_one_key_is_compared_as_text(
    condition: str, values: dict[str, Any], expected: bool
) -> None:
    assert holds(condition, values, "flow") is expected


def test_a_condition_names_its_keys_and_what_is_none_names_none() -> None:
    assert keys_in("quality.verify != off") == {"quality.verify"}
    assert keys_in(("target.part", "target.clock_ns < 5 and (quality.samples or not quality.labels == 'x')")) == {
        "target.part",
        "target.clock_ns",
        "quality.samples",
        "quality.labels",
    }
    assert keys_in(("quality.verify >", "target.part")) == {"target.part"}
    assert keys_in(()) == set()


def test_the_keys_are_those_of_the_sections() -> None:
    assert {"target.part", "quality.samples", "quality.float_model"} < set(value_keys())


def entry(*outputs: str, check: bool = False) -> EntryDescription:
    made = tuple(OutputDescription(name, "file") for name in outputs)
    return EntryDescription(name="any", summary="", outputs=made, checks_model=check)


MODEL, CHECK, OTHER = entry("model"), entry("evaluation", check=True), entry("reference")


def test_a_check_follows_each_step_that_makes_a_model_between_the_first_and_the_last() -> None:
    flow = [
        ("cleanup", MODEL),
        ("first", CHECK),
        ("a", MODEL),
        ("b", MODEL),
        ("second", CHECK),
        ("split", MODEL),
        ("reference", OTHER),
        ("c", MODEL),
        ("third", CHECK),
        ("after", MODEL),
    ]
    assert checks_after_every_step(flow) == {
        2: AddedCheck(name="evaluate-a", like=4),
        5: AddedCheck(name="evaluate-split", like=8),
    }


@pytest.mark.parametrize(
    "flow",
    [
        [],
        [("a", MODEL), ("b", MODEL)],
        [("a", MODEL), ("only", CHECK), ("b", MODEL), ("c", MODEL)],
        [("first", CHECK), ("a", MODEL), ("second", CHECK)],
        [("first", CHECK), ("a", MODEL), ("reference", OTHER), ("second", CHECK)],
    ],
)
def test_no_check_is_added_where_none_is_missing(flow: list[tuple[str, EntryDescription]]) -> None:
    assert checks_after_every_step(flow) == {}


def test_a_name_that_is_taken_gets_a_number() -> None:
    flow = [("first", CHECK), ("a", MODEL), ("b", MODEL), ("evaluate-a", CHECK)]
    assert checks_after_every_step(flow)[1].name == "evaluate-a-2"


def step(name: str, source: Source) -> Step:
    return Step(
        index=0,
        name=name,
        executor=ExecutorRef(name="x", version="1", digest="0"),
        entry="any",
        parameters={},
        inputs={"model": source},
        outputs=(),
    )


def test_the_steps_between_two_checks_are_those_that_made_one_model_of_the_other() -> None:
    file = FromFile(path=Path("net.onnx"), kind="file")
    made = {name: FromStep(step=name, output="model") for name in ("a", "b", "c", "other")}
    steps = {
        "a": step("a", file),
        "b": step("b", made["a"]),
        "other": step("other", made["a"]),
        "c": step("c", made["b"]),
    }
    assert transformations(made["c"], made["a"], steps) == ("b", "c")
    assert transformations(made["c"], None, steps) == ("a", "b", "c")
    assert transformations(made["c"], made["c"], steps) == ()
    # A flow that goes back: not made of the last one that was checked.
    assert transformations(made["other"], made["c"], steps) == ("a", "other")
    assert transformations(file, made["c"], steps) == ()
