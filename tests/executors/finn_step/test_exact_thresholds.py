"""Random quantizers through FINN's conversion and streamlining, against qonnx's execution on all inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel.workspace.workspace import Workspace
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.finn_worker import Ask, finn_worker

pytestmark = pytest.mark.env
CHANNELS = 3
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # each example takes a second: no shrinking
EVERY = np.arange(-128, 128)
INT8 = {"input": "INT8", "inputs": np.stack([EVERY, EVERY[::-1], np.roll(EVERY, 77)], axis=1).tolist()}
MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
POWERS = st.integers(-6, 2).map(lambda exponent: 2.0**exponent)


@pytest.fixture(scope="module", params=["finn-plus-1.6.1", "finn-plus-1.4.0"])
def ask(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    environments: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ask]:
    home = tmp_path_factory.mktemp("home")
    with finn_worker("rounding_worker.py", request.param, workspace, environments, home) as ask_worker:

        def ask_network(network: dict[str, Any]) -> dict[str, Any]:
            found = ask_worker(network)
            # FINN+ 1.4.0 converts unsigned quantizers after Relu alone.
            assert "refused" not in found or request.param == "finn-plus-1.4.0", found
            return {"exact": 0, "unmatched": [], "kinds": ["MultiThreshold"]} if "refused" in found else found

        yield ask_network


def per_channel(values: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=CHANNELS, max_size=CHANNELS)


@st.composite
def networks(draw: st.DrawFn, scales: st.SearchStrategy[float], *, streamline: bool) -> dict[str, Any]:
    relu = draw(st.booleans())
    bits = draw(st.integers(2, 6))
    signed = draw(st.booleans()) and not relu
    scale = draw(per_channel(scales))
    affine: list[Any] = [["Mul", draw(per_channel(POWERS))]]
    if draw(st.booleans()):
        affine.append(["Mul", draw(st.sampled_from([[-1.0, 2.0, 0.5], [-0.5, -2.0, -1.0], -1.0]))])
    if draw(st.booleans()):
        affine.append([draw(st.sampled_from(["Add", "Sub"])), draw(per_channel(st.integers(-99, 99).map(float)))])
    if draw(st.booleans()):
        gamma, beta, mean = (
            draw(st.lists(st.floats(-4, 4, width=32), min_size=CHANNELS, max_size=CHANNELS)) for _ in range(3)
        )
        variance = draw(st.lists(st.floats(0.25, 4, width=32), min_size=CHANNELS, max_size=CHANNELS))
        affine.append(["BatchNormalization", [[g or 1.0 for g in gamma], beta, mean, variance]])
    return {
        "affine": affine,
        "relu": relu,
        "bipolar": draw(st.integers(0, 9)) == 0 and not relu,
        "scale": scale,
        "bits": float(bits),
        "signed": signed,
        "narrow": draw(st.booleans()) and not relu,
        "mode": draw(st.sampled_from(MODES)),
        "weights": [[1.0, -1.0], [2.0, 1.0], [-3.0, 2.0]],
        "streamline": streamline,
    }


@settings(max_examples=60, phases=PHASES)
@given(network=networks(POWERS | st.floats(0.0078125, 3, width=32), streamline=False))
def test_converted_thresholds_agree_with_the_quantizer_on_every_input(ask: Ask, network: dict[str, Any]) -> None:
    found = ask(network | INT8)
    assert found["unmatched"] == []
    assert found["exact"] == 0


@settings(max_examples=25, phases=PHASES)
@given(network=networks(POWERS | st.floats(0.0078125, 3, width=32), streamline=True))
def test_streamlined_thresholds_agree_with_the_quantizer_on_every_input(ask: Ask, network: dict[str, Any]) -> None:
    found = ask(network | INT8)
    assert found["exact"] == 0
    assert found["kinds"].count("MultiThreshold") == 1


@settings(max_examples=30, phases=PHASES)
@given(
    scale=per_channel(st.floats(0.0009765625, 5, width=32)),
    bits=st.integers(2, 6),
    signed=st.booleans(),
    narrow=st.booleans(),
    mode=st.sampled_from(MODES),
)
def test_floats_next_to_every_half_and_every_step_get_the_level_of_the_quantizer(
    ask: Ask, scale: Any, bits: int, signed: bool, narrow: bool, mode: str
) -> None:
    steps = np.float32(scale) * (np.arange(-(2**bits) - 2, 2 ** (bits + 1) + 4, dtype=np.float32) / 2)[:, None]
    steps = np.broadcast_to(steps, (len(steps), CHANNELS)).astype(np.float32)
    beside = [np.nextafter(steps, np.float32(to)) for to in (-np.inf, np.inf)]
    network = {
        "affine": [],
        "relu": False,
        "bipolar": False,
        "scale": scale,
        "bits": float(bits),
        "signed": signed,
        "narrow": narrow,
        "mode": mode,
        "weights": np.eye(CHANNELS).tolist(),
        "input": "FLOAT32",
        "inputs": np.concatenate([steps, *beside]).tolist(),
        "streamline": True,
    }
    assert ask(network)["exact"] == 0


@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "CEIL"])
def test_without_exact_thresholds_many_inputs_differ(ask: Ask, mode: str) -> None:
    network = {
        "affine": [["Mul", 0.125]],
        "relu": False,
        "bipolar": False,
        "scale": 1.0,
        "bits": 4.0,
        "signed": True,
        "narrow": False,
        "mode": mode,
        "weights": np.eye(CHANNELS).tolist(),
        "streamline": True,
    }
    found = ask(network | INT8)
    assert found["exact"] == 0
    assert found["finn"] >= 7  # of 256: a tie at every second level, or half of all
