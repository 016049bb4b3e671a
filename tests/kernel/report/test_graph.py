"""A plan drawn: the same steps and edges in each form, whatever files are called."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bskernel.core.step import ExecutorRef, FromFile, FromStep, Source, Step
from bskernel.report.graph import Graph, as_mermaid, as_text, graph_of
from bskernel.report.graph_svg import Arrow, Card, as_svg, draw_column

NASTY = 'a<b>&"c".onnx'
SVG = "{http://www.w3.org/2000/svg}"


def step(index: int, name: str, stage: str | None, **inputs: Source) -> Step:
    executor = ExecutorRef(name="testing", version="1", digest="0" * 64)
    return Step(
        index=index,
        name=name,
        executor=executor,
        entry=name,
        parameters={},
        inputs=inputs,
        outputs=(),
        stage_out=stage,
    )


@pytest.fixture
def graph() -> Graph:
    first = FromStep(step="first", output="model")
    steps = [
        step(0, "first", "qonnx", model=FromFile(path=Path("/elsewhere") / NASTY, kind="file")),
        step(1, "second", "finn", model=first, state=FromStep(step="first", output="state")),
        step(2, "third", "finn", model=FromStep(step="second", output="model"), before=first),
        step(3, "fourth", "finn", state=FromStep(step="first", output="state")),
    ]
    return graph_of([(item, item.index < 2) for item in steps])


def test_the_text_names_under_each_step_where_its_inputs_come_from(graph: Graph) -> None:
    assert as_text(graph) == (
        "  0  first   testing@1  cached\n"
        f"       model            <- {NASTY}\n"
        "     == qonnx ==\n"
        "  1  second  testing@1  cached\n"
        "       model, state     <- 0 first\n"
        "     == finn ==\n"
        "  2  third   testing@1  runs\n"
        "       model            <- 1 second\n"
        "       model as before  <- 0 first\n"
        "  3  fourth  testing@1  runs\n"
        "       state            <- 0 first\n"
    )


def test_a_mermaid_chart_has_every_edge_and_escapes_what_is_not_a_plain_word(graph: Graph) -> None:
    lines = [line.strip() for line in as_mermaid(graph).splitlines()]
    assert lines[0] == "flowchart TD"
    assert 'file0[/"a#60;b#62;#38;#34;c#34;.onnx"/]:::file' in lines
    assert 'step1["1 second<br/>testing@1<br/>cached"]:::cached' in lines
    assert [line for line in lines if "-->" in line] == [
        'file0 -- "model" --> step0',
        'step0 -- "model: qonnx, state" --> step1',
        'step1 -- "model: finn" --> step2',
        'step0 -- "model as before" --> step2',
        'step0 -- "state" --> step3',
    ]


def test_an_svg_is_xml_with_a_box_for_each_step_and_file_and_an_arrow_for_each_edge(graph: Graph) -> None:
    root = ET.fromstring(as_svg(graph))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {NASTY, "0 first", "testing@1, cached", "testing@1, runs", "model as before of first"} <= set(texts)
    boxes = [element.get("class") for element in root.iter(f"{SVG}rect") if element.get("class")]
    assert sorted(str(kind) for kind in boxes) == ["cached", "cached", "file", "runs", "runs"]
    arrows = [element for element in root.iter(f"{SVG}path") if "line" in element.get("class", "").split()]
    assert len(arrows) == len(graph.edges) == 5


def test_everything_drawn_lies_within_the_picture(graph: Graph) -> None:
    root = ET.fromstring(as_svg(graph))
    width, height = float(str(root.get("width"))), float(str(root.get("height")))
    for element in root.iter(f"{SVG}path"):
        if element.get("class") == "line":
            numbers = [float(number) for number in re.findall(r"[\d.]+", str(element.get("d")))]
            assert max(numbers[::2]) < width
            assert max(numbers[1::2]) < height


def test_what_stands_beside_an_arrow_is_inside_the_drawing() -> None:
    cards = (Card(lines=("a",), kind="layer"), Card(lines=("b",), kind="layer"))
    label = "a label much wider than both boxes are"
    root = ET.fromstring(draw_column(cards, (Arrow(source=0, target=1, label=label),), "a graph"))
    (text,) = [element for element in root.iter("text") if element.text == label]
    assert float(text.get("x", "")) + 7 * len(label) < float(root.get("width", ""))


def test_a_card_has_its_lines_a_tag_a_meter_and_a_link_that_names_cannot_leave() -> None:
    card = Card(
        lines=(NASTY, "second", "third"), kind="slow", tag="bottleneck", meter=0.5, link=f"#{NASTY}", anchor="node-0"
    )
    root = ET.fromstring(draw_column((card,), (), NASTY))
    assert root.get("aria-label") == NASTY
    assert [element.text for element in root.iter("text")] == [NASTY, "second", "third", "bottleneck"]
    (link,) = root.iter("a")
    assert (link.get("id"), link.get("href")) == ("node-0", f"#{NASTY}")
    widths = {element.get("class"): float(element.get("width", "")) for element in root.iter("rect")}
    assert widths["filled"] * 2 == pytest.approx(widths["meter"], abs=0.2)
