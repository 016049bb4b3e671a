"""Layers drawn at random over shapes, folding and data types, and layers that see every combination of values."""

import itertools
from typing import Any

from hypothesis import strategies as st

from support import layer_cases as cases
from support.layer_cases import Layer

KINDS = {"BIPOLAR": (-1, 1), "TERNARY": (-1, 1), "BINARY": (0, 1)}
OPERATIONS = (
    "Add", "Sub", "Mul", "AbsDiff", "Max", *cases.LOGIC, "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift",
)  # fmt: skip


def find_bounds(datatype: str) -> tuple[int, int]:
    if datatype in KINDS:
        return KINDS[datatype]
    bits = int(datatype.lstrip("UINT"))
    return (0, 2**bits - 1) if datatype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def list_values(datatype: str) -> list[int]:
    low, high = find_bounds(datatype)
    return [low, high] if datatype == "BIPOLAR" else list(range(low, high + 1))


def find_divisors(*sizes: int) -> list[int]:
    return [size for size in range(1, min(sizes) + 1) if all(other % size == 0 for other in sizes)]


def find_result(operation: str, left: str, right: str) -> str:
    """A signed type that holds every result, or the one bit of logic and comparisons."""
    if operation in cases.LOGIC:
        return "BINARY"
    pairs = itertools.product(find_bounds(left), find_bounds(right))
    if operation == "Mul":
        extreme = max(abs(a * b) for a, b in pairs)
    elif operation == "BitShift":
        extreme = max(abs(a) << b for a, b in pairs)
    else:
        extreme = 2 * max(abs(a) + abs(b) for a, b in pairs)
    return f"INT{extreme.bit_length() + 1}"


def _types(most: int = 9) -> st.SearchStrategy[str]:
    numbers = st.tuples(st.sampled_from(("INT", "UINT")), st.integers(2, most)).map(
        lambda part: f"{part[0]}{part[1]}"
    )
    return st.one_of(numbers, numbers, st.sampled_from(tuple(KINDS)))


SIZES = st.integers(1, 5)
CHANNELS = st.sampled_from((1, 2, 3, 4, 6, 8, 12))


@st.composite
def _elementwise(draw: st.DrawFn) -> Layer:
    operation = draw(st.sampled_from(OPERATIONS))
    left = draw(_types())
    right = draw(st.sampled_from(("UINT2", "UINT3", "BINARY")) if operation == "BitShift" else _types())
    shape = [1, *draw(st.lists(SIZES, max_size=2)), draw(CHANNELS)]
    pe = draw(st.sampled_from(find_divisors(shape[-1])))
    operands: list[tuple[str, Any]] = [(left, None), (right, None)]
    if draw(st.booleans()):
        at = draw(st.integers(0, 1))
        dims = shape[draw(st.integers(0, len(shape) - 1)) :]
        dims = [size if draw(st.booleans()) else 1 for size in dims]
        count = 1
        for size in dims:
            count *= size
        values = draw(st.lists(st.sampled_from(list_values(operands[at][0])), min_size=count, max_size=count))
        operands[at] = (operands[at][0], (dims, values))
    more: dict[str, Any] = {"direction": draw(st.sampled_from(("LEFT", "RIGHT")))} if operation == "BitShift" else {}
    return cases.elementwise(
        operation, operands[0], operands[1], find_result(operation, left, right), shape, pe, **more
    )


@st.composite
def _forks(draw: st.DrawFn) -> Layer:
    shape = [1, *draw(st.lists(SIZES, max_size=2)), draw(CHANNELS)]
    make = draw(st.sampled_from((cases.fork, cases.replicate)))
    return make(shape, draw(_types()), draw(st.sampled_from(find_divisors(shape[-1]))), draw(st.integers(2, 4)))


@st.composite
def _joins(draw: st.DrawFn) -> Layer:
    channels = draw(st.lists(CHANNELS, min_size=2, max_size=4))
    vectors, simd = [1, *draw(st.lists(SIZES, max_size=2))], draw(st.sampled_from(find_divisors(*channels)))
    if draw(st.booleans()):
        return cases.split(vectors, channels, draw(_types()), simd)
    types = [draw(_types()) for _ in channels]
    if set(types) <= {"BINARY"}:
        types[0] = "UINT2"
    return cases.concat(vectors, channels, types, simd)


@st.composite
def _resizes(draw: st.DrawFn) -> Layer:
    size, factors, channels = (draw(SIZES), draw(SIZES)), (draw(SIZES), draw(SIZES)), draw(CHANNELS)
    simd = draw(st.sampled_from(find_divisors(channels)))
    if draw(st.booleans()):
        return cases.pad_pixels(size, factors, channels, draw(_types().filter("BIPOLAR".__ne__)), simd)
    return cases.upsample(size, factors, channels, draw(_types()), simd)


@st.composite
def _pools(draw: st.DrawFn) -> Layer:
    channels = draw(CHANNELS)
    pe = draw(st.sampled_from(find_divisors(channels)))
    size, window = (draw(SIZES), draw(SIZES)), (draw(SIZES), draw(SIZES))
    function = draw(st.sampled_from(("MaxPool", "AccPool", "QuantAvgPool", "Global")))
    datatype = draw(_types())
    if function == "Global":
        # FINN's type of the sum does not hold the sums of -1 and 1.
        plain = datatype if datatype not in {"BIPOLAR", "TERNARY"} else "INT2"
        return cases.global_pool([1, *size], channels, pe, plain)
    out = datatype
    if function == "AccPool":
        out = f"INT{(window[0] * window[1] * max(map(abs, find_bounds(datatype)))).bit_length() + 1}"
    if function == "QuantAvgPool":
        bits = draw(st.integers(2, 8))
        datatype, out = draw(st.sampled_from((("INT5", f"INT{bits}"), ("UINT6", f"UINT{bits}"))))
    return cases.pool(function, size, window, channels, pe, datatype, out)


@st.composite
def _labels(draw: st.DrawFn) -> Layer:
    labels = draw(st.integers(1, 20))
    pe, k = draw(st.sampled_from(find_divisors(labels))), draw(st.integers(1, min(labels, 6)))
    return cases.label(labels, pe, k, draw(_types()), [draw(SIZES)])


@st.composite
def _tables(draw: st.DrawFn) -> Layer:
    datatype, rows, width = draw(_types()), draw(st.integers(1, 40)), draw(st.integers(1, 4))
    values = st.lists(st.sampled_from(list_values(datatype)), min_size=width, max_size=width)
    return cases.lookup([1, draw(SIZES)], draw(st.lists(values, min_size=rows, max_size=rows)), "UINT6", datatype)


@st.composite
def _shuffles(draw: st.DrawFn) -> Layer:
    shape = [1, *draw(st.lists(SIZES, min_size=1, max_size=3)), draw(CHANNELS)]
    perm = [*draw(st.permutations(range(len(shape) - 1))), len(shape) - 1]
    return cases.shuffle(shape, perm, draw(_types()), draw(st.sampled_from(find_divisors(shape[-1]))))


@st.composite
def _renames(draw: st.DrawFn) -> Layer:
    channels = draw(CHANNELS)
    pe, long = draw(st.sampled_from(find_divisors(channels))), [1, 1, 1, channels]
    operator, shape, out = draw(
        st.sampled_from((("Squeeze", long, [1, channels]), ("Unsqueeze", [1, channels], long)))
    )
    return cases.rename(operator, shape, [1, 2], out, draw(_types()), pe)


LAYERS = st.one_of(
    _elementwise(),
    _elementwise(),
    _forks(),
    _joins(),
    _resizes(),
    _pools(),
    _pools(),
    _labels(),
    _tables(),
    _renames(),
    _shuffles(),
)
SMALL = ("INT2", "INT3", "UINT2", "UINT3", "BIPOLAR", "TERNARY", "BINARY")


def combine(operation: str) -> list[Layer]:
    """An operation on every pair of values of every pair of small types."""
    found = []
    for left, right in itertools.product(SMALL, SMALL):
        if operation == "BitShift" and find_bounds(right)[0] < 0:
            continue
        pairs = list(itertools.product(list_values(left), list_values(right)))
        for direction in ("LEFT", "RIGHT") if operation == "BitShift" else ("",):
            more: dict[str, Any] = {"direction": direction} if direction else {}
            out = find_result(operation, left, right)
            layer = cases.elementwise(operation, (left, None), (right, None), out, [1, len(pairs)], 1, **more)
            for operand, values in zip(layer["operands"], zip(*pairs, strict=True), strict=True):
                operand["values"] = [values, values[::-1]]
            found.append(layer | {"frames": 2})
    return found


def select_all(datatype: str, labels: int) -> list[Layer]:
    """Label selection, for every PE and K, of every combination of values of a type."""
    rows = list(itertools.product(list_values(datatype), repeat=labels))
    found = []
    for pe, k in itertools.product(find_divisors(labels), range(1, labels + 1)):
        layer = cases.label(labels, pe, k, datatype, [len(rows)])
        layer["operands"][0]["values"] = [rows, rows[::-1]]
        found.append(layer | {"frames": 2})
    return found


def pool_all(datatype: str, window: int) -> list[Layer]:
    """Maximum and sum over every combination of values of a type."""
    rows = list(itertools.product(list_values(datatype), repeat=window))
    most = (window * max(map(abs, find_bounds(datatype)))).bit_length() + 1
    found = []
    for function, out in (("MaxPool", datatype), ("AccPool", f"INT{most}")):
        layer = cases.pool(function, (len(rows), 1), (window, 1), 1, 1, datatype, out)
        layer["operands"][0]["values"] = [rows, rows[::-1]]
        found.append(layer | {"frames": 2})
    return found
