"""Functions of the user's own: found, called, their results checked, their errors told where they arose."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.user_analysis import analyse, check_json, make_result_rows
from bskernel_executors.sdk import StepFailure
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a child process forgets by itself."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield
    for name in sys.modules.keys() - known:
        del sys.modules[name]


def run(folder: Path, text: str, name: str = "mine:measure", file: str = "mine.py") -> dict[str, Any]:
    (folder / file).write_text(text)
    return analyse(name, folder, "a model", {"clock": []}, {"factor": 3}).result


def failure(folder: Path, text: str, name: str = "mine:measure", file: str = "mine.py") -> str:
    with pytest.raises(StepFailure) as caught:
        run(folder, text, name, file)
    return f"{caught.value.failure.category if caught.value.has_category else 'the entry says'}: {caught.value}"


def test_a_function_gets_model_metrics_and_params(tmp_path: Path) -> None:
    text = (
        "def measure(model, metrics, params):\n    return {'m': model, 'k': list(metrics), 'p': params['factor'] * 2}"
    )
    assert run(tmp_path, text) == {"m": "a model", "k": ["clock"], "p": 6}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def measure(m, k, p):\n    x = 1\n    return 1 / 0", "mine.py:3: ZeroDivisionError: division by zero"),
        ("def measure(m, k, p):\n    f()\ndef f():\n    raise ValueError('one\\ntwo')", "mine.py:4: ValueError: one"),
        ("import json\ndef measure(m, k, p):\n    return json.loads('{')", "mine.py:3: JSONDecodeError: Expecting"),
        ("import sys\ndef measure(m, k, p):\n    sys.exit(3)", "mine.py:3: SystemExit: 3"),
        ("def measure(m, k, p):\n    return {", "mine.py:2: SyntaxError: '{' was never closed"),
        ("import nosuch\ndef measure(m, k, p): ...", "mine.py:1: ModuleNotFoundError: No module named 'nosuch'"),
        ("1 / 0", "mine.py:1: ZeroDivisionError"),
        ("def measure(m, k, p):\n    return [1]", "mine:measure returned a list, not a dict"),
        ("def measure(m, k, p):\n    return None", "mine:measure returned a NoneType, not a dict"),
        ("def measure(m):\n    return {}", "mine:measure: TypeError: measure() takes 1 positional argument but 3"),
        ("def measure(m, k, p):\n    return {'a': [1, float('nan')]}", "result.a[1] is nan, but numbers must"),
        ("def measure(m, k, p):\n    return {'a': {2: 1}}", "result.a has the key 2, but keys must be text"),
        ("def measure(m, k, p):\n    return {'a': {1, 2}}", "result.a is a set, but must be"),
        ("import numpy\ndef measure(m, k, p):\n    return {'a': numpy.ones(3)}", "result.a is a ndarray, but must"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_by_file_and_line(tmp_path: Path, text: str, expected: str) -> None:
    assert failure(tmp_path, text).startswith(f"the entry says: {expected}")


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("mine:other", "mine.py", "config: unknown function 'mine:other'"),
        ("your:measure", "mine.py", "config: unknown function 'your:measure'"),
        ("measure", "mine.py", "config: unknown function 'measure'"),
        ("mine", "mine.py", "config: unknown function 'mine'"),
        (":measure", "mine.py", "config: unknown function ':measure'"),
        ("mine:LIMIT", "mine.py", "config: 'mine:LIMIT' is a int, not a function"),
        ("json:loads", "json.py", "config: 'json:loads': a module named 'json' is already installed"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, file: str, expected: str) -> None:
    assert failure(tmp_path, "LIMIT = 1\ndef measure(m, k, p): ...", name, file).startswith(expected)


def test_numpy_s_single_numbers_are_numbers() -> None:
    value = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": (np.array(2), "text", None)}
    assert check_json(value) == {"a": 3, "b": 0.5, "c": True, "d": [2, "text", None]}
    assert [type(item) for item in check_json(value).values()] == [int, float, bool, list]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_a_result_is_kept_as_it_is_or_refused_where_it_is_wrong(value: dict[str, Any]) -> None:
    def sound(item: Any) -> bool:
        if isinstance(item, dict | list):
            return all(sound(inner) for inner in (item.values() if isinstance(item, dict) else item))
        if isinstance(item, int):
            return -(2**63) <= item < 2**64
        return not isinstance(item, float) or math.isfinite(item)

    if sound(value):
        assert check_json(value) == value
        assert [row[0] for row in make_result_rows(value)] == list(value)
    else:
        with pytest.raises(StepFailure, match="result"):
            check_json(value)
