"""The digits example by a backend: the one that is named, or the first that can."""

import io
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.report.terminal import LineObserver
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build
from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits"
pytestmark = pytest.mark.env


def build_digits(workspace: Workspace, output: Path, *settings: str) -> tuple[BuildResult, str]:
    """The build's result, and what it printed meanwhile."""
    printed = io.StringIO()
    result = build(workspace, DIGITS / "build.toml", output, *settings, observer=LineObserver(printed))
    assert result.status == "ok", result.failure
    return result, printed.getvalue()


def versions(result: BuildResult) -> set[str]:
    return {step.executor for step in result.steps if step.executor.startswith("finn-step@")}


def test_digits_is_built_by_the_backend_that_is_named(workspace: Workspace, tmp_path: Path) -> None:
    result, said = build_digits(workspace, tmp_path / "out", "build.backend=finn-plus-1.4.0")
    assert versions(result) == {"finn-step@finn-plus-1.4.0"}
    assert said.startswith(
        "backend: finn-plus-1.4.0 (named in build.backend): flow estimate with finn-step@finn-plus-1.4.0"
    )
    assert result.backend is not None
    assert result.backend.backend == "finn-plus-1.4.0"


def test_auto_builds_digits_with_the_first_and_says_why_not_the_others(workspace: Workspace, tmp_path: Path) -> None:
    result, said = build_digits(workspace, tmp_path / "auto", "build.backend=auto")
    assert versions(result) == {"finn-step@finn-plus-1.6.1"}
    assert "not finn-plus-1.4.0: not needed: finn-plus-1.6.1 comes before it" in said
    plain, unsaid = build_digits(workspace, tmp_path / "plain")
    assert plain.backend is None
    assert "backend" not in unsaid
    assert [step.key for step in plain.steps] == [step.key for step in result.steps]
    assert {step.status for step in plain.steps} == {"recalled"}


def test_an_explicit_version_sends_auto_to_its_backend(workspace: Workspace) -> None:
    settings = ("build.backend=auto", "executors.finn-step=finn-plus-1.4.0")
    prepared = workspace.prepare(DIGITS / "build.toml", settings=settings)
    assert prepared.backend is not None
    assert prepared.backend.backend == "finn-plus-1.4.0"


def test_a_backend_that_has_not_the_flow_s_steps_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"does not offer the flow 'rtl' \(it offers estimate, codegen\)"):
        workspace.prepare(DIGITS / "rtl.toml", settings=("build.backend=finn-plus-1.4.0",))


def test_brainsmith_is_refused_where_nobody_gave_its_recipe(workspace: Workspace) -> None:
    with pytest.raises(EnvironmentLacking, match=r"'brainsmith' cannot .*: no recipe images/brainsmith/0\.1\.0"):
        workspace.prepare(DIGITS / "build.toml", settings=("build.backend=brainsmith",))
