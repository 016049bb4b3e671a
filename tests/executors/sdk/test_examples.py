"""The examples in the docstrings of the API that executors are written with: each runs as it is written."""

import doctest
import tempfile
from pathlib import Path

import pytest
from bskernel_executors import sdk

API = (sdk.Input, sdk.Output, sdk.Registry, sdk.Step, sdk.StepFailure, sdk.parameter)


@pytest.mark.parametrize("item", API, ids=lambda item: item.__name__)
def test_the_example_in_a_docstring_runs(item: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Without the module's own names: an example imports all that it uses, so that a reader can paste it.
    (test,) = doctest.DocTestFinder(recurse=False).find(item, globs={"__name__": "__main__"})
    report: list[str] = []
    results = doctest.DocTestRunner().run(test, out=report.append)
    assert results.attempted >= 2, "there is no example"
    assert results.failed == 0, "".join(report)


def test_everything_that_executors_are_written_with_is_explained() -> None:
    assert {*API, sdk.Entry} == {getattr(sdk, name) for name in sdk.__all__}
    for item in API:
        methods = [value for name, value in vars(item).items() if callable(value) and not name.startswith("_")]
        assert all(method.__doc__ for method in methods), item
