"""Which steps of a flow are selected, and how a build edits them: without any executor."""

import msgspec
import pytest
from bskernel.config import FlowEdit, FlowSection, Insertion, Replacement, StepTable
from bskernel.config.decoder import convert
from bskernel.core.errors import ConfigError
from bskernel.flow.edits import NamedTable, edit_flow
from bskernel.flow.selection import FlowStep, RangeRequest, position, select, stages_left
from bskernel_protocol import EntryDescription, OutputDescription
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.lists(st.text("abcd", min_size=1, max_size=8), min_size=1, max_size=8, unique=True)
STAGES = st.lists(st.sampled_from(["qonnx", "finn", "hwgraph", "rtl"]), min_size=1, max_size=10)


def flow_of(names: list[str], leaves: list[str] | None = None) -> list[FlowStep]:
    stages: list[str | None] = [*leaves] if leaves else [None] * len(names)
    return [
        FlowStep(name=name, executor="testing", entry=f"entry-{name}", leaves=stage)
        for name, stage in zip(names, stages, strict=True)
    ]


OPEN = [
    FlowStep(name="cleanup", executor="qonnx-transform", entry="cleanup", takes=("onnx", "qonnx"), leaves="qonnx"),
    FlowStep(name="streamline", executor="finn-step", entry="step_streamline", takes=("qonnx",), leaves="finn"),
    FlowStep(name="convert", executor="finn-step", entry="convert", takes=("finn",), leaves="hwgraph"),
    FlowStep(name="sizing", executor="finn-step", entry="codegen", takes=("hwgraph",), leaves="rtl"),
    FlowStep(name="insert", executor="finn-step", entry="insert", takes=("hwgraph",), leaves="hwgraph"),
    FlowStep(name="codegen", executor="finn-step", entry="codegen", takes=("hwgraph",), leaves="rtl"),
    FlowStep(name="simulate", executor="rtl-sim", entry="simulate", takes=("rtl",), leaves="rtl"),
]


def chosen(range_request: RangeRequest, config: FlowSection = FlowSection()) -> list[str]:  # noqa: B008 - frozen
    return [OPEN[index].name for index in select(OPEN, range_request, config, "build.toml").indices]


def refusal(range_request: RangeRequest, config: FlowSection = FlowSection()) -> str:  # noqa: B008 - frozen
    with pytest.raises(ConfigError) as caught:
        select(OPEN, range_request, config, "build.toml")
    return f"{caught.value.message} -> {caught.value.hint}"


@given(NAMES, st.data())
def test_a_step_is_the_same_by_name_by_index_from_either_end_and_by_its_entry(
    names: list[str], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(names) - 1))
    selectors = (names[at], str(at), str(at - len(names)), f"testing:entry-{names[at]}")
    assert {position(selector, flow_of(names), "--from") for selector in selectors} == {at}


def test_a_step_whose_entry_has_another_name_is_also_selected_by_executor_and_own_name() -> None:
    assert position("finn-step:convert", OPEN, "--to") == 2
    assert position("finn-step:streamline", OPEN, "--to") == position("finn-step:step_streamline", OPEN, "--to") == 1


@given(NAMES, st.data())
def test_a_range_by_names_is_the_range_by_indices(names: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(names) - 1))
    stop = data.draw(st.integers(start, len(names) - 1))
    steps = flow_of(names)
    by_name = select(steps, RangeRequest(first=names[start], last=names[stop]), FlowSection(), "build.toml")
    by_index = select(steps, RangeRequest(), FlowSection(first=start, last=stop - len(names)), "build.toml")
    assert by_name.indices == by_index.indices == range(start, stop + 1)
    assert (by_name.first.step, by_index.last.step) == (names[start], names[stop])


@given(STAGES, st.sampled_from(["qonnx", "finn", "hwgraph", "rtl"]))
def test_an_output_type_ends_the_one_run_of_its_steps_or_is_refused(leaves: list[str], stage: str) -> None:
    steps = flow_of([f"s{number}" for number in range(len(leaves))], leaves)
    ends = [at for at, one in enumerate(leaves) if one == stage and leaves[at + 1 : at + 2] != [stage]]
    if len(ends) == 1:
        assert select(steps, RangeRequest(output_type=stage), FlowSection(), "build.toml").last.index == ends[0]
        return
    with pytest.raises(ConfigError) as caught:
        select(steps, RangeRequest(output_type=stage), FlowSection(), "build.toml")
    assert all(f"--to s{at}" in str(caught.value.hint) for at in ends)


@given(NAMES, st.data())
def test_removing_an_inserted_step_gives_the_flow_back(names: list[str], data: st.DataObject) -> None:
    flow = [NamedTable(name=name, table=StepTable(name=name, entry=f"testing:{name}")) for name in names]
    place = data.draw(st.sampled_from(names))
    before = data.draw(st.booleans())
    sides = (place, None) if before else (None, place)
    new = Insertion(name="Mine", entry="testing:mine", before=sides[0], after=sides[1])
    edited = edit_flow(flow, FlowEdit(insert=(new,)), "b.toml: flow.edit")
    assert len(edited) == len(flow) + 1
    at = [step.name for step in edited].index("Mine")
    assert edited[at + 1 if before else at - 1].name == place
    assert edit_flow(edited, FlowEdit(remove=("Mine",)), "b.toml: flow.edit") == tuple(flow)


def test_a_stage_selects_where_to_begin_and_where_to_end() -> None:
    assert chosen(RangeRequest(input_type="qonnx", output_type="finn")) == ["cleanup", "streamline"]
    assert chosen(RangeRequest(first="streamline", last="2")) == ["streamline", "convert"]
    assert chosen(RangeRequest(first="insert", output_type="rtl")) == ["insert", "codegen", "simulate"]


def test_the_command_counts_before_the_configuration_at_each_end_alone() -> None:
    config = FlowSection(first="convert", output_type="qonnx")
    assert chosen(RangeRequest(last="sizing"), config) == ["convert", "sizing"]
    assert chosen(RangeRequest(input_type="onnx"), config) == ["cleanup"]


def test_a_range_says_what_chose_it() -> None:
    found = select(OPEN, RangeRequest(input_type="finn"), FlowSection(last=-1), "build.toml")
    assert found.first.origin == "--input-type finn"
    assert found.last.origin == "build.toml: flow.to -1"
    assert found.input_type == "finn"
    assert select(OPEN, RangeRequest(), FlowSection(), "build.toml").first.origin == "the flow's first step"


@pytest.mark.parametrize(
    ("range_request", "config", "text"),
    [
        (
            RangeRequest(first="clean"),
            FlowSection(),
            "--from 'clean': no such step -> did you mean 'cleanup'?",
        ),
        (RangeRequest(last="7"), FlowSection(), "--to 7: the flow has 7 steps, 0 to 6 -> order: cleanup, "),
        (
            RangeRequest(first="finn-step:codegen"),
            FlowSection(),
            "selects 2 steps -> choose one of them: sizing, codegen",
        ),
        (RangeRequest(first="finn-step:clean"), FlowSection(), "no such step -> did you mean 'finn-step:"),
        (
            RangeRequest(input_type="hw"),
            FlowSection(),
            "--input-type 'hw': no such stage -> stages: onnx, qonnx, ",
        ),
        (
            RangeRequest(output_type="rtl"),
            FlowSection(),
            "reaches this stage 2 times -> use --to ",
        ),
        (RangeRequest(output_type="rtl"), FlowSection(), "--to sizing or --to simulate"),
        (
            RangeRequest(output_type="ip"),
            FlowSection(),
            "never reaches this stage -> stages that it reaches: qonnx,",
        ),
        (
            RangeRequest(first="insert", output_type="finn"),
            FlowSection(),
            "from insert on -> stages that it reaches from insert",
        ),
        (
            RangeRequest(input_type="finn", last="0"),
            FlowSection(),
            "--input-type finn comes after --to 0: no step is left",
        ),
        (
            RangeRequest(first="1", input_type="finn"),
            FlowSection(),
            "--from and --input-type both say where the build begins",
        ),
        (
            RangeRequest(last="1", output_type="rtl"),
            FlowSection(),
            "--to and --output-type both say where the build ends",
        ),
        (RangeRequest(), FlowSection(first="x"), "build.toml: flow.from 'x': no such step"),
        (
            RangeRequest(),
            FlowSection(last=1, output_type="finn"),
            "build.toml: flow.to and build.toml: flow.output_type both",
        ),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_the_choices(
    range_request: RangeRequest, config: FlowSection, text: str
) -> None:
    assert text in refusal(range_request, config)


def test_a_stage_that_no_step_takes_is_refused_with_those_that_are_taken() -> None:
    with pytest.raises(ConfigError, match="no step of the flow takes a model") as caught:
        select(OPEN[2:], RangeRequest(input_type="qonnx"), FlowSection(), "build.toml")
    assert caught.value.hint == "stages that its steps take: finn, hwgraph, rtl"


def entry(stage_out: str | None = None, *outputs: str) -> EntryDescription:
    made = tuple(OutputDescription(name, "file") for name in outputs)
    return EntryDescription(name="e", summary="", outputs=made, stage_out=stage_out)


def test_the_stage_after_a_step_is_that_of_the_model_it_took() -> None:
    flow: list[tuple[str, EntryDescription, dict[str, str]]] = [
        ("custom", entry(None, "model"), {}),
        ("lower", entry("hwgraph", "model"), {}),
        ("generate", entry("rtl", "model"), {}),
        ("stitch", entry("rtl", "rtl"), {}),
        ("evaluate", entry(None, "scores"), {"model": "lower.model"}),
        ("back", entry(None, "model"), {"model": "lower.model"}),
        ("synthesize", entry("netlist", "synthesis"), {}),
        ("again", entry(None, "model"), {}),
    ]
    assert stages_left(flow) == [None, "hwgraph", "rtl", "rtl", "rtl", "hwgraph", "netlist", "hwgraph"]


FLOW = tuple(
    NamedTable(name=name, table=StepTable(name=name, entry=f"testing:{name}-entry"))
    for name in ("one", "two", "three")
)


def edit(**tables: object) -> list[str]:
    edited = edit_flow(FLOW, convert(tables, FlowEdit, "build.toml"), "b.toml: flow.edit")
    return [step.name for step in edited]


def test_several_inserts_at_one_place_keep_their_order() -> None:
    places = [("after", "one", "a"), ("before", "two", "c"), ("after", "one", "b"), ("before", "two", "d")]
    insert = [{place: step, "name": name, "entry": "testing:add"} for place, step, name in places]
    assert edit(insert=insert) == ["one", "a", "b", "c", "d", "two", "three"]


def test_an_insert_may_stand_beside_an_earlier_one_and_places_are_selectors() -> None:
    insert = [
        {"after": "testing:two-entry", "name": "a", "entry": "testing:add"},
        {"before": "a", "name": "b", "entry": "testing:add"},
        {"after": "-3", "entry": "testing:double"},
    ]
    assert edit(insert=insert[:2]) == ["one", "two", "b", "a", "three"]
    assert edit(insert=insert[2:]) == ["one", "double", "two", "three"]


def test_a_replaced_step_keeps_its_place_and_name_and_nothing_else() -> None:
    flow = [msgspec.structs.replace(FLOW[0], table=StepTable(entry="testing:add", parameters={"number": 3}))]
    replaced = edit_flow(flow, FlowEdit(replace={"one": Replacement(entry="testing:double")}), "b.toml: flow.edit")
    assert [(step.name, step.table.entry, step.table.parameters) for step in replaced] == [
        ("one", "testing:double", {})
    ]


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"remove": ["on"]}, "flow.edit.remove 'on': no such step -> did you mean 'one'?"),
        ({"replace": {"four": {"entry": "a:b"}}}, "flow.edit.replace 'four': no such step -> steps: one, "),
        ({"insert": [{"after": "four", "entry": "a:b"}]}, "flow.edit.insert[0]: after 'four': no such step"),
        (
            {"remove": ["two"], "insert": [{"before": "two", "entry": "a:b"}]},
            "before 'two': flow.edit.remove removes that step -> name a remaining step: one, three; or ",
        ),
        (
            {"insert": [{"after": "one", "entry": "a:three"}]},
            "the name 'three' is already in use -> give the inserted",
        ),
        ({"remove": ["one"], "replace": {"0": {"entry": "a:b"}}}, "step 'one' is both replaced and removed"),
        ({"replace": {"0": {"entry": "a:b"}, "one": {"entry": "a:b"}}}, "'0' and 'one' are the same step, 'one'"),
        ({"remove": ["0", "1", "2"]}, "removes every step: one, two, three"),
        ({"insert": [{"entry": "a:b"}]}, "an inserted step needs one place"),
        ({"insert": [{"entry": "a:b", "before": "one", "after": "one"}]}, "an inserted step needs one place"),
        ({"insert": [{"after": "one"}]}, "a step needs an entry"),
        ({"replace": {"one": {"parameters": {}}}}, "replace.one: a replacement needs an entry"),
        ({"insert": [{"afer": "one", "entry": "a:b"}]}, "unknown key 'afer' at [insert[0]]; did you mean 'after'?"),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused_with_the_choices(tables: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edit(**tables)
    assert text in f"{caught.value.message} -> {caught.value.hint}"


def test_a_word_that_is_no_choice_of_a_key_is_refused_with_them() -> None:
    with pytest.raises(ConfigError, match="input_type: 'onx' is not a choice") as caught:
        convert({"input_type": "onx"}, FlowSection, "build.toml")
    assert caught.value.hint == "did you mean 'onnx'? choices: onnx, qonnx, finn, hwgraph"
