"""What a step draws at random: the same wherever and whenever it runs, and something else in every other step."""

import random
from typing import Any

import msgspec
from bskernel_executors.sdk.determinism import find_seed, seed_generators
from bskernel_protocol import PROTOCOL_VERSION, Artifact, StepManifest, digest_of_bytes
from hypothesis import given
from hypothesis import strategies as st

MANIFEST = StepManifest(
    protocol=PROTOCOL_VERSION,
    step="04-streamline",
    executor="finn-step",
    version="1",
    executor_digest="0" * 64,
    entry="step_streamline",
    parameters={"target_fps": 100},
    inputs=(Artifact(name="model", kind="file", digest=digest_of_bytes(b"model")),),
)
TEXTS = st.text(max_size=4)
CONTENTS = st.fixed_dictionaries(
    {
        "entry": TEXTS,
        "parameters": st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(0, 9) | TEXTS, max_size=2),
        "inputs": st.dictionaries(TEXTS, st.binary(max_size=2), max_size=2),
    }
)


def make(content: dict[str, Any]) -> StepManifest:
    inputs = tuple(
        Artifact(name=name, kind="file", digest=digest_of_bytes(data)) for name, data in content["inputs"].items()
    )
    return msgspec.structs.replace(MANIFEST, **{**content, "inputs": inputs})


def draw(manifest: StepManifest) -> list[str]:
    seed_generators(find_seed(manifest))
    return ["".join(random.choices("abcdefghijklmnop", k=8)) for _ in range(50)]  # noqa: S311


@given(CONTENTS, CONTENTS)
def test_seeds_are_equal_exactly_if_the_steps_do_the_same_with_the_same_inputs(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    def same(value: Any) -> bytes:
        return msgspec.msgpack.encode(value, order="deterministic")

    assert (find_seed(make(one)) == find_seed(make(other))) == (same(one) == same(other))


def test_a_step_s_name_its_limits_and_its_executor_s_code_change_no_name() -> None:
    moved = msgspec.structs.replace(
        MANIFEST, step="07-again", executor_digest="1" * 64, version="2", memory_mib=100, tools={"vivado": "2024.2"}
    )
    assert draw(moved) == draw(MANIFEST)


def test_steps_of_one_build_draw_names_that_do_not_collide() -> None:
    later = msgspec.structs.replace(MANIFEST, entry="step_convert_to_hw")
    again = msgspec.structs.replace(
        MANIFEST, inputs=(Artifact(name="model", kind="file", digest=digest_of_bytes(b"streamlined")),)
    )
    names = [draw(manifest) for manifest in (MANIFEST, later, again)]
    assert len({name for drawn in names for name in drawn}) == sum(map(len, names))
