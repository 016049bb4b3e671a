"""Which part of a network is in hardware, on the host, or between."""

from types import SimpleNamespace
from typing import Any

from bskernel_executors.finn_step.coverage import classify
from hypothesis import given
from hypothesis import strategies as st


def node(hardware: bool, inputs: list[str], output: str) -> Any:
    domain = "finn.custom_op.fpgadataflow" if hardware else ""
    return SimpleNamespace(domain=domain, input=inputs, output=[output])


def chain(*hardware: bool) -> list[Any]:
    return [node(is_layer, [f"t{at}"], f"t{at + 1}") for at, is_layer in enumerate(hardware)]


def test_the_ends_of_a_chain_are_the_host_s_and_what_is_between_layers_is_unmapped() -> None:
    assert classify(chain(False, True, True, False)) == ["head", "hardware", "hardware", "tail"]
    assert classify(chain(True, False, True)) == ["hardware", "unmapped", "hardware"]
    assert classify(chain(False, False)) == ["head", "head"]


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Sorted graphs: each node takes the network's input or what earlier nodes made."""
    count = draw(st.integers(1, 8))
    made = []
    for at in range(count):
        taken = draw(st.lists(st.integers(-1, at - 1), min_size=1, max_size=2))
        made.append(node(draw(st.booleans()), [f"t{source}" for source in taken], f"t{at}"))
    return made


@given(graphs())
def test_a_node_is_unmapped_exactly_if_paths_lead_from_hardware_to_it_and_on_to_hardware(nodes: list[Any]) -> None:
    def leads(first: Any, last: Any) -> bool:
        if first.output[0] in last.input:
            return True
        return any(node.output[0] in last.input and leads(first, node) for node in nodes)

    layers = [node for node in nodes if node.domain]
    for node_, part in zip(nodes, classify(nodes), strict=True):
        after = any(leads(layer, node_) for layer in layers)
        before = any(leads(node_, layer) for layer in layers)
        assert (part == "hardware") == bool(node_.domain)
        if part != "hardware":
            assert part == ("unmapped" if after and before else "tail" if after else "head")
