"""Verifies a build directory: every byte that lies there, and what a second build from its lock makes."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact

from bskernel.commands.export import place_of_signature
from bskernel.commands.sigstore_bundle import SUFFIX as BUNDLE
from bskernel.commands.sigstore_bundle import SigningIdentity, open_bundle
from bskernel.config.key_file import load_public_key
from bskernel.config.reader import read_bytes
from bskernel.core.errors import EXIT_DAMAGED, EXIT_DIFFERS, EXIT_OK, EXIT_UNSIGNED, ConfigError
from bskernel.core.interfaces import Store
from bskernel.core.signature import PublicKey
from bskernel.core.step_report import StepReport
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.lock_file import LOCK, read_lock
from bskernel.remains.plain_files import discard
from bskernel.result.build_result import BuildResult
from bskernel.result.damage import Damage, check_contents, split_artifacts
from bskernel.result.exported_artifacts import ARTIFACTS, places_of
from bskernel.result.provenance.signed_statement import why_other, why_unsigned
from bskernel.result.result_file import read_result
from bskernel.store import DiskStore
from bskernel.verification.artifact_difference import describe_difference
from bskernel.verification.comparison import StepDifference, compare_outputs
from bskernel.verification.layout import lay_out_build
from bskernel.verification.second_build import check_surroundings, make_fresh_cache, run_second_build
from bskernel.verification.variation import Surroundings, vary
from bskernel.workspace.workspace import Workspace

_LARGEST = 64 << 20  # bytes of signed provenance
_OTHER = {"docker": "process", "process": "docker"}


class VerifyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a build is verified."""

    runtime: str = "auto"  # of second builds; "other" is the one that the build did not use
    varied: tuple[str, ...] = ()
    runs: int = 1  # second builds; with 0 only the directory is checked
    model: Path | None = None
    into: Path | None = None  # a new folder for what is kept after a difference
    signed_by: Path | None = None  # a public key that must have signed the build
    identity: SigningIdentity | None = None  # who must have signed the build by way of Sigstore
    trusted_root: Path | None = None  # of another instance of Sigstore than the public one
    signature: Path | None = None  # the signed provenance; by default beside the build directory


class SecondBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A second build, and what differed in it."""

    runtime: str
    seconds: float
    outputs: int  # how many were compared
    differing: tuple[StepDifference, ...] = ()
    shown: tuple[str, ...] = ()  # the difference in the first of them, in its own terms


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a verification."""

    build: Path
    status: Literal["verified", "damaged", "unsigned", "differs"]
    files: int
    signed_by: str | None = None  # the key that has signed the build
    unsigned: str | None = None  # why the signature that was asked for does not count
    damage: tuple[Damage, ...] = ()
    varied: tuple[str, ...] = ()
    second_builds: tuple[SecondBuild, ...] = ()
    kept: Path | None = None  # both sides of a difference

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        codes = {"damaged": EXIT_DAMAGED, "unsigned": EXIT_UNSIGNED, "differs": EXIT_DIFFERS}
        return codes.get(self.status, EXIT_OK)


def verify(
    workspace: Workspace,
    build: Path,
    options: VerifyOptions,
    *,
    environment: Mapping[str, str],
    note: Callable[[str], None],
) -> Verification:
    """Check every byte of a build directory and its signature, then build it again from its lock without a cache, and
    compare.

    Raises ConfigError if there is no finished build or what it was given is gone; EnvironmentLacking,
    SecondBuildFailed if it cannot be built again here.
    """
    key = _load_key(options)
    contents = check_contents(build)
    checked = Verification(build=build, status="verified", files=contents.files)
    if contents.damage:
        return msgspec.structs.replace(checked, status="damaged", damage=contents.damage)
    note(f"contents: {contents.files} files are as the build wrote them")
    signer = key or options.identity
    if signer is not None:
        unsigned = _why_unsigned(build, options, signer, contents.digests)
        if unsigned is not None:
            return msgspec.structs.replace(checked, status="unsigned", unsigned=unsigned)
        checked = msgspec.structs.replace(checked, signed_by=signer.name)
        note(f"signature: {signer.name} has signed these files")
    if not options.runs:
        return checked
    result, lock = read_result(build, BuildResult), read_lock(build / LOCK)
    if result.status != "ok":
        raise ConfigError(f"{build}: the build {result.status}", hint="verify a finished build, or give --runs 0")
    runtime = _runtime(result, options, build)
    with _work_folder(options.into) as work:
        surroundings = vary(options.varied, str(work / "home"), environment)
        check_surroundings(surroundings)
        second: list[SecondBuild] = []
        for number in range(1, options.runs + 1):
            runs = f", {number} of {options.runs}" if options.runs > 1 else ""
            note(f"second build{runs}: {_described(options, runtime)}")
            ended = _build_again(workspace, build, result, lock, work / str(number), surroundings, runtime, options)
            second.append(ended)
            if ended.differing:
                break
        workspace.files.save()
        done = msgspec.structs.replace(checked, varied=options.varied, second_builds=tuple(second))
        if not second[-1].differing:
            return done
        return msgspec.structs.replace(done, status="differs", kept=_keep(work, options.into))


def _load_key(options: VerifyOptions) -> PublicKey | None:
    if options.signed_by is not None and options.identity is not None:
        raise ConfigError("give one of --signed-by and --signed-by-identity")
    if options.signature is not None and options.signed_by is None and options.identity is None:
        raise ConfigError(
            "--signature needs --signed-by or --signed-by-identity", hint="name who must have signed it"
        )
    if options.trusted_root is not None and options.identity is None:
        raise ConfigError("--trusted-root needs --signed-by-identity", hint="a key needs nobody's trust")
    return load_public_key(options.signed_by) if options.signed_by is not None else None


def _why_unsigned(
    build: Path, options: VerifyOptions, signer: PublicKey | SigningIdentity, digests: Mapping[str, str]
) -> str | None:
    if isinstance(signer, PublicKey):
        file = options.signature or place_of_signature(build)
    else:
        file = options.signature or place_of_signature(build, BUNDLE)
    if not file.exists():
        return f"{file}: no such file"
    data = read_bytes(file, most=_LARGEST)
    if isinstance(signer, PublicKey):
        reason = why_unsigned(data, signer, *split_artifacts(digests))
    else:
        try:
            kind, payload = open_bundle(data, signer, options.trusted_root)
        except ValueError as error:
            return f"{file}: {error}"
        reason = why_other(payload, kind, signer.name, *split_artifacts(digests))
    return f"{file}: {reason}" if reason is not None else None


def _described(options: VerifyOptions, runtime: str) -> str:
    varied = f", with another {', '.join(options.varied)}" if options.varied else ""
    return f"fresh, runtime {runtime}{varied}"


def _runtime(result: BuildResult, options: VerifyOptions, build: Path) -> str:
    if options.runtime != "other":
        runtime = "process" if options.runtime == "auto" and "user" in options.varied else options.runtime
    elif result.runtime in _OTHER:
        runtime = _OTHER[result.runtime]
    else:
        raise ConfigError(
            f"{build}: --runtime other: its steps were recalled, so it used none", hint="name the runtime to use"
        )
    if "user" in options.varied and runtime != "process":
        raise ConfigError("--vary user: containers run as the user who starts them", hint="add --runtime process")
    return runtime


@contextlib.contextmanager
def _work_folder(into: Path | None) -> Iterator[Path]:
    """A folder to work in, removed at the end unless it has been moved away."""
    if into is not None and into.exists():
        raise ConfigError(f"{into} already exists", hint="remove it, or choose another folder with --into")
    work = Path(tempfile.mkdtemp(prefix="bskernel-verify-", dir=into.absolute().parent if into is not None else None))
    (work / "home").mkdir()
    kept = work / "kept"
    try:
        yield work
    finally:
        if not kept.exists():
            discard(work)


def _build_again(
    workspace: Workspace,
    build: Path,
    result: BuildResult,
    lock: BuildLock,
    work: Path,
    surroundings: Surroundings,
    runtime: str,
    options: VerifyOptions,
) -> SecondBuild:
    place = work / surroundings.folder
    output, cache = place / "build", place / "cache"
    config = lay_out_build(lock, build, place / "given", workspace.store, options.model)
    make_fresh_cache(cache, workspace.cache)
    began = time.monotonic()
    settings = tool_settings(lock, workspace.cache)
    run_second_build(config, output, cache, surroundings, runtime=runtime, settings=settings)
    second = read_result(output, BuildResult)
    compared = compare_outputs(result.parts, second.parts)
    ended = SecondBuild(
        runtime=second.runtime,
        seconds=round(time.monotonic() - began, 1),
        outputs=compared.outputs,
        differing=compared.differing,
    )
    if not compared.differing:
        discard(work)
        return ended
    first = compared.differing[0]
    kept = work.parent / "kept"
    kept.mkdir()
    sides = {"published": (result, build, workspace.store), "second": (second, output, DiskStore(cache))}
    for side, (its, folder, store) in sides.items():
        for name in first.outputs:
            _copy_output(its, folder, store, first.step, name, kept / side / first.step / name)
    shown = [line for name in first.outputs for line in _show(kept, first.step, name)]
    output.rename(kept / "second-build")
    return msgspec.structs.replace(ended, shown=tuple(shown))


def _show(kept: Path, step: str, name: str) -> tuple[str, ...]:
    was, now = (kept / side / step / name for side in ("published", "second"))
    for path, side in ((was, "published"), (now, "second")):
        if not path.exists():
            return (f"{name}: the bytes of the {side} build are not here",)
    return (f"{name}:", *(f"  {line}" for line in describe_difference(was, now)))


def _copy_output(result: BuildResult, build: Path, store: Store, step: str, name: str, target: Path) -> None:
    """Copy a step's output from the build directory, or else from the store, if either has it."""
    artifact = _output(result.parts, step, name)
    if artifact is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    places = places_of(result.artifacts.values(), {at: made.values() for at, made in result.by_step.items()})
    for place, exported in places.items():
        if exported.digest == artifact.digest:
            found = build / ARTIFACTS / place
            shutil.copytree(found, target) if found.is_dir() else shutil.copyfile(found, target)
            return
    store.materialise(artifact, target)


def _output(parts: tuple[StepReport, ...], step: str, name: str) -> Artifact | None:
    made = (artifact for report in parts if report.name == step for artifact in report.outputs)
    return next((artifact for artifact in made if artifact.name == name), None)


def _keep(work: Path, into: Path | None) -> Path:
    """Leave of the folder what shows the difference."""
    target = into if into is not None else work.with_name(f"{work.name}-kept")
    (work / "kept").rename(target)
    return target


def tool_settings(lock: BuildLock, cache: Path) -> tuple[str, ...]:
    """Assignments that name the locked tools' installs on this machine. Raises EnvironmentLacking."""
    from bskernel.tools import find_again

    identities = {(tool, identity) for step in lock.flow for tool, identity in step.tools.items()}
    found: dict[str, Any] = {}
    for tool, identity in sorted(identities):
        install = find_again(tool, identity, cache)
        found.setdefault(f"tools.{tool}.path", install.root)
        found[f'tools.{tool}.versions."{install.version}"'] = install.root
    return tuple(f"{key}={root}" for key, root in found.items())
