"""Stub modules in place of libraries that are not installed."""

import importlib
import sys

import pytest
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.stub_modules import stub_modules


def test_a_missing_library_can_be_imported_and_says_what_is_missing_when_it_is_used() -> None:
    with stub_modules("nosuch", "nosuch.inner"):
        inner = importlib.import_module("nosuch.inner")
        assert importlib.import_module("nosuch").inner is inner
        with pytest.raises(StepFailure, match=r"needs nosuch \(nosuch.inner.relu\)") as caught:
            inner.relu  # noqa: B018
    assert caught.value.failure.category == "environment"
    assert "nosuch" not in sys.modules


def test_a_library_that_is_installed_stays() -> None:
    with stub_modules("json", "json.nosuch"):
        assert importlib.import_module("json").loads("1") == 1
    assert "json" in sys.modules
