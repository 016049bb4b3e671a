"""Installs a recipe's git sources into its environment, as wheels built from them or as copies of their trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.host.temporary import mark
from bskernel.images.atomic_dir import DONE
from bskernel.images.git_source import GitSource

KEPT = "src"  # kept trees are at src/NAME of the environment
RunUv = Callable[..., None]  # takes uv's arguments, and environment variables as keywords


def install(source: GitSource, tree: Path, environment: Path, site: Path, uv: RunUv) -> None:
    """Install a source into an environment that has its locked packages already. Raises EnvironmentLacking."""
    import tempfile

    if source.build:
        with tempfile.TemporaryDirectory(dir=environment.parent, prefix="wheel-", suffix=mark()) as scratch:
            _build_and_install(source, tree, environment / "bin" / "python", Path(scratch), uv)
    if source.keep or source.path:
        _copy(tree, environment / KEPT / source.name)
    if source.path:
        up = "/".join([".."] * len(site.relative_to(environment).parts))
        lines = [f"{up}/{KEPT}/{source.name}/{folder}".removesuffix("/.") for folder in source.path]
        for folder in source.path:
            if not (tree / folder).is_dir():
                raise EnvironmentLacking(f"source {source.name}: path: no folder {folder!r} in its tree")
        (site / f"bskernel-{source.name}.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _copy(tree: Path, target: Path) -> None:
    import shutil

    shutil.copytree(tree, target, symlinks=True, ignore=lambda folder, _: [DONE] if Path(folder) == tree else [])


def _build_and_install(source: GitSource, tree: Path, python: Path, scratch: Path, uv: RunUv) -> None:
    # Build backends write to the tree that they build, so build a copy.
    _copy(tree, scratch / source.name)
    variables = {} if source.version is None else {"SETUPTOOLS_SCM_PRETEND_VERSION": source.version}
    wheels = scratch / "wheels"
    common = ("--quiet", "--no-cache", "--python", str(python))
    # Without isolation, uv uses the build backend from the lock, not the newest one from an index.
    build = ("build", "--wheel", "--no-build-isolation", *common, "--out-dir", str(wheels))
    uv(*build, str(scratch / source.name), **variables)
    (wheel,) = wheels.glob("*.whl")
    name, version = wheel.name.split("-")[:2]
    # By name from a folder: installed by path, the package's metadata would record where it was built.
    uv(
        "pip", "install", "--no-deps", "--no-index", *common,
        "--find-links", str(wheels), f"{name}=={version}", **variables,
    )  # fmt: skip
