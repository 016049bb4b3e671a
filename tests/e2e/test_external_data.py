"""The files that a model names are found as onnx itself finds them."""

import json
import subprocess
from pathlib import Path

import pytest
from bskernel.images.environment import ensure_environment
from bskernel.store.file_digests import FileDigests
from bskernel.workspace.onnx_file import external_locations
from bskernel.workspace.user_files import FilesOnDisk
from bskernel.workspace.workspace import Workspace
from support.paths import SUPPORT

MODELS = 60


@pytest.mark.env
def test_the_files_of_models_that_onnx_saved_are_those_that_onnx_reads(
    workspace: Workspace, environments: Path, tmp_path: Path
) -> None:
    recipe = next(recipe for recipe in workspace.recipes if recipe.file.executor == "qonnx-transform")
    python = ensure_environment(recipe, environments, print).python
    script = [str(python), str(SUPPORT / "external_models.py"), str(tmp_path), str(MODELS)]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    named = json.loads(done.stdout)
    assert 10 < sum(bool(files) for files in named.values()) < MODELS
    for number, files in named.items():
        model = tmp_path / number / "net.onnx"
        assert sorted(external_locations(model)) == files
        assert list(FilesOnDisk(FileDigests()).external_data(model, "build.toml")) == files
