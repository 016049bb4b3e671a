"""FINN's settings, made once a step asks for them, are those that FINN makes at once."""

from pathlib import Path

import pytest
from bskernel.workspace.workspace import Workspace
from support.finn_worker import finn_worker


@pytest.mark.env
def test_settings_made_late_and_the_environment_are_those_made_at_once(
    workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    with finn_worker("settings_worker.py", "finn-plus-1.6.1", workspace, environments, tmp_path) as ask:
        for given in ({}, {"FINN_DEPS_DEFINITIONS": "here.yaml"}):
            found = ask(given)
            assert found["late"] == found["at_once"]
            assert found["were_made"] == bool(given)
            assert "external_dependencies.yaml" in found["late"][0] or given
