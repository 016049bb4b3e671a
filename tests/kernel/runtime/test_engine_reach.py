"""Where the engine does not see the cache, as in a CI job with the socket of an engine outside of its container."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.builds import result_of, write

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can give a process mounts of its own"),
]
BUILD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'
RunElsewhere = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_elsewhere(tmp_path: Path, surroundings: dict[str, str], cache: Path) -> RunElsewhere:
    """Run bskernel where the cache's folder is one that only its own process sees."""
    config = write(tmp_path, BUILD)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    links = " ".join(f"ln -s {shlex.quote(str((cache / name).resolve()))} {hidden};" for name in ("envs", "code"))
    bskernel = Path(sys.executable).parent / "bskernel"

    def run(runtime: str) -> subprocess.CompletedProcess[str]:
        script = f"mount -t tmpfs none {hidden}; {links} exec {bskernel} run {config} --runtime {runtime}"
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=surroundings | {"BSKERNEL_CACHE": str(hidden)},
        )

    return run


def test_an_engine_that_does_not_see_the_cache_is_named_with_what_to_mount(run_elsewhere: RunElsewhere) -> None:
    done = run_elsewhere("docker")
    assert done.returncode == 4
    assert "does not see the files of this machine" in done.stdout + done.stderr
    assert "BSKERNEL_CACHE" in done.stdout + done.stderr


def test_auto_then_takes_the_process_runtime_and_says_what_that_does_not_promise(
    run_elsewhere: RunElsewhere, tmp_path: Path
) -> None:
    done = run_elsewhere("auto")
    assert done.returncode == 0, done.stderr
    assert "runtime: process (the Docker engine does not see the files of this machine" in done.stderr
    result = result_of(tmp_path / "build" / "sum")
    assert result["runtime"] == "process"
    assert "not in containers" in result["warnings"][0]
    assert "not in containers" in done.stdout
