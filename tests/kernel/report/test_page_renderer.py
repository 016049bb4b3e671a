"""The page of a build as HTML: everything is in it, nothing in it is code of others."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.report.page.facts import make_page
from bskernel.report.page_renderer import render_page
from hypothesis import given, settings
from hypothesis import strategies as st
from support.html_document import document
from support.page_records import HOSTILE, METRICS, failed_record, full_record


def test_every_fact_of_the_metrics_can_be_read_in_the_page() -> None:
    page = make_page(full_record())
    rows = document(render_page(page)).tables["fact-table"][1:]
    assert len(page.leaves) > 50
    assert rows == [[leaf.path, leaf.text] for leaf in page.leaves]


def test_names_of_the_user_s_network_are_text_and_never_code() -> None:
    for record in (full_record(), failed_record()):
        shown = render_page(make_page(record))
        assert HOSTILE not in shown
        found = document(shown)
        assert found.scripts == 1  # the page's own
        assert HOSTILE in found.text


def test_every_part_is_there_and_linked_and_identifiers_are_unique() -> None:
    found = document(render_page(make_page(full_record())))
    anchors = [link[1:] for link in found.links if link.startswith("#")]
    assert set(anchors) <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    parts = {"numbers", "dataflow", "layers", "stages", "accuracy", "coverage", "changes", "steps", "findings"}
    assert parts | {"folding", "origin", "downloads", "facts", "warnings"} <= set(found.ids)


def test_a_person_sees_the_bottleneck_the_numbers_and_where_they_are_from() -> None:
    text = document(render_page(make_page(full_record()))).text
    for fact in (
        "slow sets the pace with 300 cycles",
        "bottleneck slow 300 cycles per frame, 71.4 % of all",
        "so it sets the pace. MVAU_rtl with PE 1",
        "The next is first with 100 cycles",
        "0.9 \N{MULTIPLICATION SIGN} estimate",
        "5 \N{MULTIPLICATION SIGN} estimate",
        "1.12 \N{MULTIPLICATION SIGN} target",
        "These numbers are of 50 % of the network's multiplications",
        "125 % too much",
        "FIFO 32 · INT12",
        "32 held 17",
        "UINT4 → INT12 · parameters INT4",
        "host, before",
        "takes fractions",
        "parameter fps: 1 -> 2",
        "waited",
        "210 MiB",
        "Most often mistaken: 0 for 1 (2)",
        "fastest: 1,000 inferences/s, 300 cycles per frame",
        "The next faster folding, of 200 cycles, does not fit",
        "bound by LUT. With 1 % of the device's LUT more: 150 cycles, 2,000 inferences/s",
        "LUT binds498.5 of 500device 1,000",
        "parameter fps: 1 -> 2",
        "bskernel verify",
    ):
        assert fact in text, fact


def test_a_reason_that_all_steps_share_is_said_once() -> None:
    record = full_record()
    text = document(render_page(make_page(record))).text
    assert "why it ran" in text
    first = ("no earlier run in this build directory",)
    steps = tuple(
        msgspec.structs.replace(
            step, why=first, items=tuple(msgspec.structs.replace(item, why=first) for item in step.items)
        )
        for step in record.build.steps
    )
    same = full_record(build=msgspec.structs.replace(record.build, steps=steps))
    text = document(render_page(make_page(same))).text
    assert text.count(first[0]) == 1
    assert f"Every step that ran: {first[0]}." in text
    assert "why it ran" not in text


def test_a_failure_comes_first_with_its_hint_cause_and_log() -> None:
    text = document(render_page(make_page(failed_record()))).text
    order = [
        "What failed",
        "What to do: export it again",
        "ValueError: bad",
        "a line of the log",
        "bskernel explain",
        "Steps",
    ]
    places = [text.rindex(part) if part == "Steps" else text.index(part) for part in order]
    assert places == sorted(places)


def test_the_page_loads_nothing_and_links_only_to_the_build_directory() -> None:
    found = document(render_page(make_page(full_record()), prefix="../out dir/"))
    outside = [link for link in found.links if not link.startswith("#")]
    assert outside == ["data:,", "../out%20dir/steps/01-fold/log.jsonl", "../out%20dir/artifacts/a%20b.onnx"]
    assert METRICS["raw"] is not None


def test_equal_builds_give_equal_pages() -> None:
    assert render_page(make_page(full_record())) == render_page(make_page(full_record()))


def test_without_jinja2_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(EnvironmentLacking, match="a report needs jinja2") as caught:
        render_page(make_page(full_record()))
    assert "bskernel[report]" in str(caught.value.hint)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document, its own first."""
    yield path
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def with_value(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = with_value(tree[path[0]], path[1:], value)
    return copy


DOCUMENTS = ("metrics", "config", "evaluation", "coverage", "adaptation", "simulation", "folding")
TABLES = ("metrics", "config")


@settings(max_examples=25 if os.environ.get("BSKERNEL_QUICK") else 100, deadline=None)
@given(st.data())
def test_any_damage_to_a_document_leaves_a_page(data: st.DataObject) -> None:
    record = full_record()
    name = data.draw(st.sampled_from((*DOCUMENTS, "origin")))
    whole = record.build.origin if name == "origin" else getattr(record, name)
    path = data.draw(st.sampled_from(list(places(whole))))
    value = data.draw(JSON if path or name not in {*TABLES, "origin"} else st.dictionaries(st.text(), JSON))
    damaged = with_value(whole, path, value)
    if name == "origin":
        record = full_record(build=msgspec.structs.replace(record.build, origin=damaged))
    else:
        record = full_record(**{name: damaged})
    document(render_page(make_page(record)))
