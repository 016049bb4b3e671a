"""What is exported of a build: the newest of each name, and every step's JSON."""

from pathlib import Path

import msgspec
from bskernel.core.step_report import StepReport
from bskernel.result.build_directory import BuildDirectory
from bskernel.result.build_result import json_by_step, newest_artifacts
from bskernel.store import DiskStore
from bskernel_protocol import Artifact


def made(store: DiskStore, folder: Path, name: str, text: str, media_type: str = "application/json") -> Artifact:
    (folder / "file").write_text(text)
    return store.capture(folder / "file", name, "file", media_type)


def report(name: str, *outputs: Artifact) -> StepReport:
    return StepReport(name=name, executor="testing@1", entry="any", status="ran", outputs=outputs)


def exported(build: Path, store: DiskStore, *reports: StepReport) -> dict[str, str]:
    """The build directory's artifacts after a build with these reports."""
    directory = BuildDirectory(build)
    directory.open()
    by_step = {step: names.values() for step, names in json_by_step(reports).items()}
    directory.export(newest_artifacts(reports).values(), by_step, store)
    directory.close()
    return laid(build / "artifacts")


def laid(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_json_that_a_later_step_hides_is_laid_out_by_its_step(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "cache")
    model = made(store, tmp_path, "model", "m", "application/x-onnx")
    reports = (
        report("first", model, made(store, tmp_path, "analysis", "1")),
        report("second", model),
        report("third", made(store, tmp_path, "analysis", "3")),
    )
    expected = {
        "analysis.json": "3",
        "by-step/first/analysis.json": "1",
        "by-step/third/analysis.json": "3",
        "model.onnx": "m",
    }
    assert exported(tmp_path / "build", store, *reports) == expected
    listed = {step: list(names) for step, names in json_by_step(reports).items()}
    assert listed == {"first": ["analysis"], "third": ["analysis"]}


def test_a_step_that_is_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "cache")
    first = report("first", made(store, tmp_path, "analysis", "1"))
    renamed = msgspec.structs.replace(first, name="renamed")
    exported(tmp_path / "build", store, first)
    assert set(exported(tmp_path / "build", store, renamed)) == {"analysis.json", "by-step/renamed/analysis.json"}
