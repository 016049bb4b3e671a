"""Facts that failures are decided from: which node an exception is about, and processes ended for lack of memory."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.sdk.causes import failure_of
from bskernel_executors.sdk.culprit import culprit_of
from bskernel_executors.sdk.deciding import About
from bskernel_executors.sdk.memory import candidates, count_in
from bskernel_executors.sdk.step import StepFailure


@dataclass
class Attribute:
    """Looks as ONNX's AttributeProto does."""

    name: str
    type: int
    i: int = 0
    ints: list[int] = field(default_factory=list)


@dataclass
class Node:
    """Looks as ONNX's NodeProto does."""

    op_type: str
    name: str
    attribute: list[Attribute] = field(default_factory=list)
    input: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=lambda: ["out"])


def raised(function: Any, *arguments: Any) -> BaseException:
    try:
        function(*arguments)
    except ValueError as error:
        return error
    raise AssertionError("nothing was raised")


def inner(node: Node, text: str) -> None:
    raise ValueError(text)


def walk(nodes: list[Node], text: str) -> None:
    for producer in nodes:
        node = nodes[0]
        if producer is nodes[-1]:
            raise ValueError(text)
    assert node


CONV = Node("Conv", "Conv_0", [Attribute("group", 2, i=2), Attribute("strides", 7, ints=[1, 1])])


def test_the_node_that_the_innermost_function_works_on_is_the_culprit() -> None:
    culprit = culprit_of(raised(inner, CONV, "no"))
    assert culprit is not None
    assert (culprit.name, culprit.operator) == ("Conv_0", "Conv")
    assert culprit.attributes == {"group": "2", "strides": "[1, 1]"}


def test_of_several_nodes_the_one_that_the_text_names_is_the_culprit() -> None:
    nodes = [CONV, Node("Relu", "Relu_3")]
    for text, name in (("Relu_3 is wrong", "Relu_3"), ("something is wrong", "Conv_0")):
        culprit = culprit_of(raised(walk, nodes, text))
        assert culprit is not None
        assert culprit.name == name


def test_where_there_is_no_node_nobody_is_blamed() -> None:
    assert culprit_of(raised(int, "many")) is None


def test_of_a_chain_the_first_cause_is_named_and_an_entry_s_own_category_stays() -> None:
    def fail() -> None:
        try:
            int("many")
        except ValueError as error:
            raise StepFailure(category="kernel", message="no layer") from error

    with pytest.raises(StepFailure) as caught:
        fail()
    failure = failure_of(caught.value, About(step="s", declared="transform"))
    assert (failure.category, failure.message) == ("kernel", "no layer")
    assert failure.facts == {"exception": "ValueError", "decided_by": "step"}
    assert failure.cause[-1] == "ValueError: invalid literal for int() with base 10: 'many'"


def test_a_memory_error_anywhere_in_the_chain_is_lack_of_memory_with_its_limit() -> None:
    error = RuntimeError("cannot run the model")
    error.__cause__ = MemoryError("8 GiB")
    failure = failure_of(error, About(step="s", declared="transform"), memory_mib=512)
    assert failure.category == "out_of_memory"
    assert failure.facts["limit_mib"] == 512
    assert failure.facts["peak_mib"] > 0
    assert "limit of 512 MiB" in failure.message


@pytest.mark.parametrize(
    ("cgroup", "files"),
    [
        ("0::/\n", ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory.events"]),
        ("0::/user.slice/a\n", ["/sys/fs/cgroup/user.slice/a/memory.events", "/sys/fs/cgroup/memory.events"]),
        (
            "9:memory:/docker/4f\n3:cpu,cpuacct:/docker/4f\n0::/system.slice\n",
            [
                "/sys/fs/cgroup/memory/docker/4f/memory.oom_control",
                "/sys/fs/cgroup/memory/memory.oom_control",
                "/sys/fs/cgroup/system.slice/memory.events",
                "/sys/fs/cgroup/memory.events",
            ],
        ),
    ],
)
def test_both_versions_of_control_groups_are_asked(cgroup: str, files: list[str]) -> None:
    assert [str(path) for path in candidates(cgroup)] == files


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n", 5),
        ("oom_kill_disable 0\nunder_oom 0\n", None),
    ],
)
def test_processes_that_were_ended_are_counted(tmp_path: Path, text: str, count: int | None) -> None:
    (tmp_path / "events").write_text(text)
    assert count_in([tmp_path / "none", tmp_path / "events"]) == count
