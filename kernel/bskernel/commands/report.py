"""Reads a build directory for its page."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.model_graph import ModelGraph
from bskernel.lock.lock_file import LOCK
from bskernel.remains.plain_files import read_plain
from bskernel.report.diff_tables import tables_of
from bskernel.report.page.build_view import BuildView
from bskernel.report.page.facts import BuildRecord, Download, ReportBase, StepDetail, make_page
from bskernel.report.page.timeline import find_times
from bskernel.report.page_renderer import render_page
from bskernel.report.trace import trace_events
from bskernel.result.build_directory import BUILD_LOG, CONFIG, FAILURE, METRICS, RESULT, BuildDirectory
from bskernel.result.diff import diff
from bskernel.result.explanation import explain
from bskernel.result.exported_artifacts import ARTIFACTS, BY_STEP
from bskernel.result.integrity import find_altered
from bskernel.result.log_events import read_events
from bskernel.result.result_file import read_result, result_path
from bskernel.workspace.onnx_file import OnnxDamage
from bskernel.workspace.onnx_graph import read_graph

_LIMIT = 64 << 20  # bytes of a document
_MOST_FILES = 300  # links to downloads
_DOCUMENTS = {
    "evaluation": "evaluation/evaluation.json",
    "coverage": "coverage.json",
    "adaptation": "adaptation.json",
    "simulation": "simulation.json",
    "folding": "folding_report.json",
}


def write_report(build: Path, output: Path, base: Path | None = None) -> str:
    """The page of a build as HTML, with links that lead from `output` to the build directory.

    `base` is the build that it is compared with. Raises ConfigError, EnvironmentLacking.
    """
    page = make_page(read_record(build, base))
    folder = result_path(build).parent
    prefix = os.path.relpath(folder.absolute(), output.absolute().parent)
    return render_page(page, prefix="" if prefix == "." else f"{prefix}/", build=str(folder))


def export_trace(build: Path) -> dict[str, Any]:
    """When each step of a build waited and ran, as a trace for Perfetto. Raises ConfigError."""
    view = read_result(build, BuildView)
    events = read_events(result_path(build).parent / BUILD_LOG)
    return trace_events(view.name, find_times(view.steps, view.seconds, events))


def read_record(build: Path, base: Path | None = None) -> BuildRecord:
    """All that the page shows of a build. What is missing or damaged beside result.json is left out.

    Raises ConfigError.
    """
    return _read(read_result(build, BuildView), build, base)


def read_unfinished(folder: Path, view: BuildView) -> BuildRecord:
    """The same of a build that runs, or was killed; `view` is what is known of its result."""
    return _read(view, folder, None, finished=False)


def _read(view: BuildView, build: Path, base: Path | None, *, finished: bool = True) -> BuildRecord:
    file = result_path(build)
    folder = file.parent
    documents = {name: _document(folder / ARTIFACTS / path) for name, path in _DOCUMENTS.items()}
    metrics = _document(folder / METRICS)
    config = _document(folder / CONFIG)
    directory = BuildDirectory(folder)
    failed = view.failure is not None and view.failed_step is not None
    return BuildRecord(
        build=view,
        result_sha256=hashlib.sha256(read_plain(file, _LIMIT) or b"").hexdigest(),
        metrics=metrics if isinstance(metrics, dict) else view.metrics,
        config=config if isinstance(config, dict) else None,
        graph=_graph(folder / ARTIFACTS / "model.onnx"),
        log=read_events(folder / BUILD_LOG),
        details=_details(directory),
        excerpt=explain(build, None).excerpt if failed else (),
        altered=find_altered(build) if finished else (),
        downloads=_downloads(folder),
        base=_base(base, build) if base is not None else None,
        **documents,
    )


def _document(path: Path) -> Any:
    """A JSON document; None when it is missing or damaged."""
    data = read_plain(path, _LIMIT)
    try:
        return msgspec.json.decode(data) if data is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _graph(path: Path) -> ModelGraph | None:
    try:
        return read_graph(path) if path.is_file() and not path.is_symlink() else None
    except (OnnxDamage, OSError, ValueError):
        return None


def _details(directory: BuildDirectory) -> dict[str, StepDetail]:
    found = {}
    for folder, manifest in directory.manifests():
        log = folder / "log.jsonl"
        found[folder.name.partition("-")[2]] = StepDetail(
            executor_digest=manifest.executor_digest,
            parameters=manifest.parameters,
            inputs=tuple((item.name, item.digest.sha256) for item in manifest.inputs),
            tools=manifest.tools,
            log=log.relative_to(directory.path).as_posix() if log.is_file() else None,
        )
    return found


def _downloads(folder: Path) -> tuple[Download, ...]:
    """The files at the top of the directory, the artifacts, and the files in artifacts that are folders of files."""
    found = [folder / name for name in (RESULT, METRICS, CONFIG, LOCK, FAILURE, BUILD_LOG)]
    artifacts = folder / ARTIFACTS
    for path in sorted(artifacts.iterdir()) if artifacts.is_dir() else ():
        inside = sorted(path.iterdir()) if path.is_dir() and not path.is_symlink() and path.name != BY_STEP else []
        found += [path, *(one for one in inside if one.is_file())]
    shown = []
    for path in found:
        if path.is_symlink() or not path.exists():
            continue
        name = path.relative_to(folder).as_posix()
        shown.append(Download(path=f"{name}/") if path.is_dir() else Download(path=name, size=path.stat().st_size))
    return tuple(shown[:_MOST_FILES])


def _base(base: Path, build: Path) -> ReportBase:
    compared = diff(base, build)
    reasons = {
        step.name: "; ".join(step.changes) if step.changes else step.status
        for step in compared.steps
        if step.status != "same"
    }
    # The numbers first: what changed in the result is asked for before why.
    tables = sorted(tables_of(compared), key=lambda table: not table.numbers)
    return ReportBase(label=str(base), tables=tuple(tables), reasons=reasons)
