"""build.lock: the same text for equal locks, and a reader that refuses what it does not know."""

from pathlib import Path

import msgspec
import pytest
from bskernel.core.errors import ConfigError
from bskernel.lock.build_lock import BuildLock, ExecutorParts, GivenFile, LockedStep, Release
from bskernel.lock.lock_file import lock_beside, lock_text, read_lock

GOLDEN = Path(__file__).parent / "golden" / "build.lock"
PARTS = ExecutorParts(
    digest="d" * 64,
    base="debian-12-python",
    base_digest="b" * 64,
    python="3.11",
    packages="9" * 64,
    edits="e" * 64,
    git={"brainsmith": "1" * 40},
    environment="f" * 64,
    sources="5" * 64,
    module="bskernel_executors.finn_step.entries",
)
LOCK = BuildLock(
    name="digits",
    bskernel=Release(version="0.1.0", commit="c" * 40),
    protocol=2,
    platform="x86_64-manylinux_2_28",
    model="net.onnx",
    files={
        "net.onnx": GivenFile(kind="file", sha256="a" * 64, size=100),
        "../samples": GivenFile(kind="tree", sha256="0" * 64, size=7),
    },
    config={"build": {"model": "net.onnx", "flow": "estimate"}},
    flow=(
        LockedStep(
            name="adapt",
            executor="finn-step@1.6.1",
            entry="adapt",
            parameters={"skip": ["names"], "width": None},
            inputs={"model": ("net.onnx",), "samples": ("../samples",)},
        ),
        LockedStep(
            name="synth",
            executor="finn-step@1.6.1",
            entry="synth",
            inputs={"model": ("adapt.model",)},
            tools={"vivado": "Vivado 2022.2 build 1 abc"},
        ),
    ),
    executors={"finn-step@1.6.1": PARTS},
)


def test_the_text_of_a_lock_does_not_change_and_is_read_back() -> None:
    assert lock_text(LOCK) == GOLDEN.read_text()
    assert read_lock(GOLDEN) == LOCK


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "not a lock of a build"),
        ("[1", "not a lock of a build"),
        ('{"format": 2, "new": true}', "format 2; this version of bskernel reads format 1"),
        ('{"format": 1}', "missing required field `name`"),
    ],
)
def test_what_is_no_lock_is_refused_by_name(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "build.lock").write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_lock(tmp_path / "build.lock")
    assert f"{tmp_path / 'build.lock'}: " in refused.value.message
    assert told in refused.value.message


def test_an_unknown_key_of_a_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "build.lock").write_bytes(msgspec.json.encode({**msgspec.to_builtins(LOCK), "extra": 1}))
    with pytest.raises(ConfigError, match="extra"):
        read_lock(tmp_path / "build.lock")


def test_each_configuration_has_a_lock_of_its_own() -> None:
    found = {lock_beside(Path(name)) for name in ("build.toml", "slow.toml", "build/b/config.json")}
    assert found == {Path("build.lock"), Path("slow.lock"), Path("build/b/build.lock")}
