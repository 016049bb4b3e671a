"""The layers of an accelerator, put together from its model, its metrics and its simulation."""

from typing import Any

import msgspec
from bskernel.core.model_graph import ModelGraph, ModelNode, ModelTensor
from bskernel.report.page.layers import FifoUse, SimulationView, bottlenecks, find_layers, runner_up

TENSORS = {
    "x": ModelTensor(shape=(1, 64), datatype="UINT4"),
    "x2": ModelTensor(shape=(1, 64), datatype="UINT4"),
    "w": ModelTensor(shape=(64, 32), datatype="INT4"),
    "a": ModelTensor(shape=(1, 32), datatype="INT12"),
    "b": ModelTensor(shape=(1, 32), datatype="INT12"),
    "c": ModelTensor(shape=(1, 32), datatype="INT13"),
}
GRAPH = ModelGraph(
    nodes=(
        ModelNode(
            name="fifo_0", operator="StreamingFIFO_rtl", inputs=("x",), outputs=("x2",), attributes={"depth": 2}
        ),
        ModelNode(
            name="first",
            operator="MVAU_rtl",
            inputs=("x2", "w"),
            outputs=("a",),
            attributes={"PE": 1, "SIMD": 4, "inputDataType": "UINT4", "outputDataType": "INT12"},
        ),
        ModelNode(
            name="fifo_1", operator="StreamingFIFO_hls", inputs=("a",), outputs=("b",), attributes={"depth": 8}
        ),
        ModelNode(name="join", operator="Add", inputs=("b", "x2"), outputs=("c",)),
    ),
    tensors=TENSORS,
    inputs=("x",),
    outputs=("c",),
    initializers=frozenset({"w"}),
)
METRICS: dict[str, Any] = {
    "layers": [
        {
            "name": "first",
            "cycles": 300,
            "folding": {"PE": 2, "SIMD": 8, "ram_style": "auto"},
            "resources": {"LUT": 10.0},
            "synthesized": {"LUT": 12},
            "bottleneck": True,
        },
        {"name": "join", "cycles": 100, "resources": {"LUT": 5.0}},
    ]
}
SIMULATION = msgspec.convert(
    {
        "total_cycles": 1000,
        "fifo_depths": {"fifo_1": 9},
        "fifo_maxima": {"fifo_1": 4},
        "streams": {
            "fifo_0 -> first": {"moved": 500, "back_pressure": 400, "starved": 100},
            "first -> fifo_1": {"moved": 500, "back_pressure": 250, "starved": 250},
            "fifo_1 -> join": {"moved": 500, "back_pressure": 0, "starved": 20},
            "fork -> join": {"moved": 500, "back_pressure": 0, "starved": 30},
        },
    },
    SimulationView,
)


def test_the_folding_is_that_of_the_model_that_was_built_and_else_that_of_the_metrics() -> None:
    assert [layer.folding for layer in find_layers(METRICS, GRAPH)] == [{"PE": 1, "SIMD": 4}, {}]
    assert [layer.folding for layer in find_layers(METRICS, None)] == [{"PE": 2, "SIMD": 8}, {}]


def test_a_layer_has_its_shapes_types_folding_cycles_counts_and_waits() -> None:
    first, _ = find_layers(METRICS, GRAPH, SIMULATION)
    assert (first.operator, first.input_shape, first.weight_shape, first.output_shape) == (
        "MVAU_rtl", (1, 64), (64, 32), (1, 32),
    )  # fmt: skip
    assert (first.input_type, first.weight_type, first.output_type) == ("UINT4", "INT4", "INT12")
    assert (first.folding, first.settings) == ({"PE": 1, "SIMD": 4}, {"ram_style": "auto"})
    assert (first.cycles, first.share, first.busy, first.bottleneck) == (300, 0.75, 1.0, True)
    assert first.latest_counts == ("synth", {"LUT": 12.0})
    assert (first.stalled, first.starved) == (0.25, 0.1)


def test_fifos_are_on_the_streams_between_layers_with_what_they_held() -> None:
    first, join = find_layers(METRICS, GRAPH, SIMULATION)
    assert [(link.source, link.fifos) for link in first.links] == [(None, (FifoUse(name="fifo_0", depth=2),))]
    assert [(link.source, link.fifos) for link in join.links] == [
        (0, (FifoUse(name="fifo_1", depth=9, held=4),)),
        (None, (FifoUse(name="fifo_0", depth=2),)),
    ]
    assert join.starved == 0.03  # of the input that it waits for longest


def test_what_nothing_states_is_absent_and_never_zero() -> None:
    alone = find_layers(None, GRAPH)
    assert [layer.name for layer in alone] == ["first", "join"]
    assert (alone[0].cycles, alone[0].share, alone[0].stalled, alone[0].latest_counts) == (None, None, None, ("", {}))
    assert alone[0].folding == {"PE": 1, "SIMD": 4}
    assert find_layers(METRICS, None)[1].links == ()
    assert find_layers({"layers": 3}, None) == ()


def test_layers_that_are_equally_slow_are_all_the_bottleneck() -> None:
    layers = [{"name": "a", "cycles": 7, "bottleneck": True}, {"name": "b", "cycles": 7}, {"name": "c", "cycles": 3}]
    found = find_layers({"layers": layers}, None)
    assert [layer.name for layer in bottlenecks(found)] == ["a", "b"]
    following = runner_up(found)
    assert following is not None
    assert following.name == "c"


def test_fifos_that_feed_one_another_in_a_circle_end() -> None:
    nodes = tuple(
        ModelNode(name=name, operator="StreamingFIFO", inputs=(source,), outputs=(made,))
        for name, source, made in (("f", "p", "q"), ("g", "q", "p"))
    )
    layer = ModelNode(name="m", operator="MVAU", inputs=("q",), outputs=("r",))
    (found,) = find_layers(None, ModelGraph(nodes=(*nodes, layer)))
    assert [fifo.name for fifo in found.links[0].fifos] == ["g", "f"]
