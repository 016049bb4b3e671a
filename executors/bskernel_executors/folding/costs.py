"""LUTs and flip-flops of layers, as fitted to layers that were synthesised. Pure, but for reading samples.json.

FINN estimates no LUTs for its RTL matrix unit, and far too few or too many for others. A sample is a layer that was
synthesised: its operator, features that are known before, and what was counted. For each operator the weights of the
features, none negative, are those with the least sum of squared relative errors.

A layer of the very network whose folding is sought counts as it was synthesised, where that was at the same folding;
at another folding the fit is corrected by what the nearest one had more or less than its fit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bskernel_executors.folding.families import CostFamily, find_samples

SAMPLES = find_samples("amd")
RESOURCES = ("LUT", "FF", "DSP", "BRAM_18K", "BRAM_4K", "URAM")
STREAM = "Stream"  # the operator of all FIFOs and converters from one layer to the next
FIFO, CONVERTER = "StreamingFIFO_rtl", "StreamingDataWidthConverter_rtl"
_FITTED = ("LUT", "FF")
_IN_LUTS, _IN_BLOCKS = "memory", "blocks_deep"  # features of layers whose weights are to lie there
_FEWEST = 4  # samples of an operator without which FINN's estimate is kept


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A layer, FIFO, width converter or stream that was synthesised.

    `network`: where it came from. `layer`: its name there; of a stream, the layers at its ends. `family`: of the
    device that it was synthesised for. A resource that was not counted is absent.
    """

    operator: str
    features: Mapping[str, float]
    LUT: float
    network: str
    FF: float | None = None
    DSP: float | None = None
    BRAM_18K: float | None = None
    BRAM_4K: float | None = None
    URAM: float | None = None
    layer: str = ""
    family: CostFamily = "amd"

    def counts(self) -> dict[str, float]:
        """Resource -> count, of those that were counted."""
        found = {name: getattr(self, name) for name in RESOURCES}
        return {name: float(count) for name, count in found.items() if count is not None}


class CostSamples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of samples."""

    samples: tuple[Sample, ...]


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Weights of an operator's features.

    `samples`: how many different ones there were. `error`: the median relative error for a sample that was left out.
    """

    weights: Mapping[str, float]
    samples: int
    error: float


@functools.cache
def read_samples(path: Path = SAMPLES) -> tuple[Sample, ...]:
    """Read samples. Raises msgspec.MsgspecError for what are none."""
    return msgspec.json.decode(path.read_bytes(), type=CostSamples).samples


def _weigh(features: NDArray[np.float64], luts: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import nnls  # takes as long to import as a small step, and few steps fit costs

    weights, _ = nnls(features / luts[:, None], np.ones(len(luts)))
    return np.asarray(weights, dtype=np.float64)


def fit(samples: Sequence[Sample], resource: str = "LUT") -> Fit | None:
    """Fit a resource to the samples of one operator; None if there are too few."""
    names = sorted({name for sample in samples for name in sample.features})
    counted = [(sample, sample.counts().get(resource, 0.0)) for sample in samples]
    rows = sorted(
        {(tuple(one.features.get(name, 0.0) for name in names), count) for one, count in counted if count > 0}
    )
    if len(rows) < _FEWEST:
        return None
    features = np.array([row for row, _ in rows])
    counts = np.array([count for _, count in rows])
    errors = []
    for at in range(len(rows)):
        others = np.arange(len(rows)) != at
        guess = features[at] @ _weigh(features[others], counts[others])
        errors.append(abs(guess / counts[at] - 1))
    weights = _weigh(features, counts)
    return Fit(
        weights={name: float(weight) for name, weight in zip(names, weights, strict=True) if weight > 0},
        samples=len(rows),
        error=float(np.median(errors)),
    )


def _is_elsewhere(sample: Sample) -> bool:
    """Return whether a tool has put weights into another memory than the folding asks for, as Yosys does."""
    if sample.BRAM_18K is None and sample.BRAM_4K is None:
        return False
    blocks = (sample.BRAM_18K or 0) + (sample.BRAM_4K or 0) + (sample.URAM or 0)
    return blocks > 0 if _IN_LUTS in sample.features else _IN_BLOCKS in sample.features and blocks == 0


def fit_all(samples: Sequence[Sample], resource: str = "LUT") -> dict[str, Fit]:
    """Fit each operator that has enough samples."""
    by_operator: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.operator != STREAM and not _is_elsewhere(sample):
            by_operator.setdefault(sample.operator, []).append(sample)
    fits = {operator: fit(found, resource) for operator, found in sorted(by_operator.items())}
    return {operator: found for operator, found in fits.items() if found is not None}


def predict(fits: Mapping[str, Fit], operator: str, features: Mapping[str, float]) -> float | None:
    """The count for a layer; None for an operator without a fit."""
    found = fits.get(operator)
    if found is None:
        return None
    return sum(weight * features.get(name, 0.0) for name, weight in found.weights.items())


class Costs:
    """What layers and streams of one network take, by fits and by what of it was synthesised before."""

    def __init__(self, given: Sequence[Sample] = (), *, network: str = "", family: CostFamily = "amd") -> None:
        """`given`: samples besides those that are shipped. Those of `network` correct the fits of its layers.

        Samples of another family than `family` are left aside.
        """
        self.given = tuple(sample for sample in given if sample.family == family)
        self.network, self.family = network, family
        shipped = read_samples(find_samples(family))
        self.fits = {name: fit_all((*shipped, *self.given), name) for name in _FITTED}
        self._own: dict[str, list[Sample]] = {}
        for sample in self.given:
            if network and sample.network == network and sample.layer:
                self._own.setdefault(sample.layer, []).append(sample)

    @property
    def recalled(self) -> int:
        """The number of layers and streams of the network of which one or more foldings were synthesised."""
        return len(self._own)

    def count(
        self, layer: str, operator: str, features: Mapping[str, float], estimate: Mapping[str, float]
    ) -> dict[str, float]:
        """Resource -> count of a layer. `estimate`: FINN's, for resources without a fit."""
        own = [sample for sample in self._own.get(layer, ()) if sample.operator == operator]
        guess = self._guess(operator, features, estimate)
        for sample in reversed(own):
            if dict(sample.features) == dict(features):
                return {**guess, **sample.counts()}
        for name in _FITTED:
            measured = [(sample.counts(), self._guess(operator, sample.features, {})) for sample in own]
            pairs = [(count[name], fitted[name]) for count, fitted in measured if name in count and fitted.get(name)]
            if pairs and guess.get(name):
                count, fitted = min(pairs, key=lambda pair: abs(math.log(guess[name] / pair[1])))
                guess[name] *= count / fitted
        return guess

    def _guess(self, operator: str, features: Mapping[str, float], estimate: Mapping[str, float]) -> dict[str, float]:
        fitted = {name: predict(fits, operator, features) for name, fits in self.fits.items()}
        return {**estimate, **{name: count for name, count in fitted.items() if count is not None}}

    def fifo(self, bits: int) -> dict[str, float]:
        """Resource -> count of a FIFO of the least depth for values of so many bits."""
        return self._guess(FIFO, describe_fifo(bits), {})

    def stream(self, name: str, width: int, other: int) -> dict[str, float]:
        """Resource -> count of the FIFOs, and of the converter, between two layers, by their widths in bits.

        `name`: as `name_stream` has it. FIFOs are at least as deep as they were when they were synthesised.
        """
        features = describe_stream(width, other)
        extra = dict.fromkeys(RESOURCES, 0.0)
        for sample in self._own.get(name, ()):
            if dict(sample.features) == features:
                return sample.counts()
            usual = self._usual_stream(int(sample.features["bits_out"]), int(sample.features["bits_in"]))
            for resource, count in sample.counts().items():
                extra[resource] = max(extra[resource], count - usual.get(resource, 0.0))
        usual = self._usual_stream(width, other)
        return {name: usual.get(name, 0.0) + more for name, more in extra.items() if name in usual or more}

    def _usual_stream(self, width: int, other: int) -> dict[str, float]:
        parts = [self.fifo(width)]
        if width != other:
            features = describe_converter(width, other)
            if self.family != "amd":
                features = split_converter(features)
            parts += [self.fifo(other), self._guess(CONVERTER, features, {"LUT": features["estimate"]})]
        return add_counts(parts)


def add_counts(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Add up counts by resource."""
    total: dict[str, float] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0.0) + count
    return total


def name_stream(source: str | None, target: str | None) -> str:
    """The name of the streams between two layers; None is the outside."""
    return f"{source or 'input'} -> {target or 'output'}"


def describe_fifo(bits: int) -> dict[str, float]:
    """The features of a FIFO of the least depth, whose streams have whole bytes."""
    return {"one": 1.0, "axis_bits": 8.0 * math.ceil(bits / 8)}


def describe_stream(width: int, other: int) -> dict[str, float]:
    """The features of what is between two layers: the width that the first gives, and that the second takes."""
    return {"bits_out": float(width), "bits_in": float(other)}


def describe_converter(width: int, other: int) -> dict[str, float]:
    """The features of a converter.

    `estimate`: FINN's LUTs, by the common multiple of both widths. `selected`: what a narrowing one selects from, a
    multiplexer of as many stages as the ratio has bits. `ratio`: of a widening one, which counts so far.
    """
    whole = math.lcm(width, other)
    luts = abs(math.ceil(math.log2(width / whole))) + whole if width != whole else 0
    luts += abs(math.ceil(math.log2(whole / other))) + other if whole != other else 0
    found = {"one": 1.0, "bits_in": float(width), "bits_out": float(other), "estimate": float(luts)}
    ratio = {"selected": width * math.log2(width / other)} if width > other else {"ratio": other / width}
    return found | {name: round(value, 4) for name, value in ratio.items()}


def split_converter(features: Mapping[str, float]) -> dict[str, float]:
    """The features of a converter where narrowing and widening have weights of their own."""
    if "ratio" not in features:
        return dict(features)
    return {name if name in ("ratio", "estimate") else f"{name}_widening": value for name, value in features.items()}
