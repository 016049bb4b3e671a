"""A build's page as HTML that needs nothing beside it. The drawings escape their own texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bskernel.core.step_report import StepReport
from bskernel.report.page.dataflow import MOST, draw_dataflow, types_text
from bskernel.report.page.facts import Page
from bskernel.report.page.figures import number, percent, with_unit
from bskernel.report.page.headlines import Headline
from bskernel.report.page.leaves import leaves_of
from bskernel.report.page_template import render_template, safe

_TEMPLATE = Path(__file__).with_name("page_files") / "build.html.j2"
_PART_NAMES = {"head": "host, before", "tail": "host, after", "unmapped": "cannot be mapped"}
_RESOURCES = ("LUT", "FF", "BRAM_18K", "BRAM_36K", "BRAM", "URAM", "DSP", "CARRY")
_SECTIONS = (
    ("failure", "Failure"),
    ("numbers", "Numbers"),
    ("dataflow", "Dataflow"),
    ("layers", "Layers"),
    ("folding", "Folding"),
    ("stages", "Stages"),
    ("accuracy", "Accuracy"),
    ("coverage", "Hardware"),
    ("changes", "Changes"),
    ("steps", "Steps"),
    ("findings", "Findings"),
    ("origin", "Versions"),
    ("downloads", "Files"),
    ("facts", "All facts"),
)


def render_page(page: Page, *, prefix: str = "", build: str = ".") -> str:
    """The page as HTML. `prefix` leads from the page's folder to the build directory, which is called `build`.

    Raises EnvironmentLacking without jinja2.
    """
    record, build_origin = page.record, page.record.build.origin
    reasons = list(dict.fromkeys(one.report.why for one in page.timeline.steps if one.report.why))
    values = {
        "page": page,
        "record": record,
        "build": record.build,
        "dataflow": safe(draw_dataflow(page.layers)) if _has_graph(page) else "",
        "most": MOST,
        "parts": [part for part in _SECTIONS if _has_section(page, part[0])],
        "meta": _meta(page),
        "cards": _cards(page.headlines),
        "part_text": _part_text(record.metrics),
        "paced": [(at, layer) for at, layer in enumerate(page.layers) if layer.cycles is not None][:60],
        "resources": [name for name in _RESOURCES if any(name in layer.latest_counts[1] for layer in page.layers)],
        "counted": sorted({layer.latest_counts[0] for layer in page.layers if layer.latest_counts[0]}),
        "simulated": _simulated_accuracy(page.headlines),
        "part_names": _PART_NAMES,
        "rebuild": _rebuild(build),
        "versions": _versions(build_origin),
        "origin": list(leaves_of(build_origin)) if build_origin else [],
        "config": list(leaves_of(record.config)) if record.config else [],
        "explained": len(reasons) > 1,
        "common_reason": reasons[0] if len(reasons) == 1 else (),
        "with_unit": with_unit,
        "prefix": prefix,
        "place": lambda seconds: f"{1000 * max(0.0, seconds) / page.timeline.seconds:.1f}",
        "types": types_text,
        "target": _above_zero(_table(record.config, "target").get("target_fps")),
    }
    return render_template(_TEMPLATE, values, document="result.json", digest=record.result_sha256, style=_lanes())


def _lanes() -> str:
    return "".join(
        f".column .lane-{at} {{ stroke: var(--{name}); }}\n"
        for at, name in enumerate(("ran", "good", "waited", "bad"))
    )


def _has_graph(page: Page) -> bool:
    return page.record.graph is not None and any(layer.links for layer in page.layers) and len(page.layers) <= MOST


def _has_section(page: Page, name: str) -> bool:
    record = page.record
    present = {
        "failure": record.build.failure is not None,
        "numbers": bool(page.headlines),
        "dataflow": bool(page.layers),
        "layers": bool(page.layers),
        "folding": page.folding is not None,
        "stages": bool(page.headlines),
        "accuracy": bool(page.stages),
        "coverage": page.coverage is not None or page.adaptation is not None,
        "changes": record.base is not None,
        "findings": bool(page.summary or page.tables),
        "downloads": bool(record.downloads),
        "facts": bool(page.leaves),
    }
    return present.get(name, True)


def _cards(headlines: tuple[Headline, ...]) -> list[Headline]:
    """The quantities of the whole build; of resources those that are used."""
    whole = [line for line in headlines if "." not in line.name]
    order = {f"resources.{name}": at for at, name in enumerate(_RESOURCES)}
    used = [line for line in headlines if line.is_count and line.latest.value]
    return whole + sorted(used, key=lambda line: order.get(line.name, len(order)))


def _meta(page: Page) -> list[tuple[str, str]]:
    record, build = page.record, page.record.build
    target = _table(record.config, "target")
    clock, wanted = _above_zero(target.get("clock_ns")), _above_zero(target.get("target_fps"))
    found = [
        ("flow", _table(record.config, "build").get("flow")),
        ("board", target.get("board")),
        ("part", target.get("part")),
        ("clock", with_unit(1e3 / clock, "MHz") if clock else None),
        ("target", with_unit(wanted, "inferences/s") if wanted else None),
        ("model", _table(build.origin, "model").get("path")),
        ("took", f"{number(build.seconds)} s"),
        ("steps", _steps_text(build.steps)),
        ("runtime", build.runtime),
        ("on", str(record.log[0].get("timestamp", ""))[:16].replace("T", " ") if record.log else None),
    ]
    return [(name, str(value)) for name, value in found if value]


def _table(tree: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """A table in a document that anybody may have written; an empty one if it is none."""
    found = (tree or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _above_zero(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _steps_text(steps: tuple[StepReport, ...]) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.status] = counts.get(step.status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _part_text(metrics: Mapping[str, Any] | None) -> str:
    share = (metrics or {}).get("hardware_share")
    if not isinstance(share, int | float) or share == 1:
        return ""
    return f"These numbers are of {percent(share)} of the network's multiplications: the rest is not in hardware."


def _simulated_accuracy(headlines: tuple[Headline, ...]) -> float | None:
    values = [one for line in headlines if line.name == "accuracy" for one in line.values if one.stage == "rtlsim"]
    return values[0].value if values else None


def _versions(origin: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The model, the release and the executors that a build was made with."""
    if origin is None:
        return []
    model, release, executors = (_table(origin, name) for name in ("model", "bskernel", "executors"))
    found = [
        (f"model {model.get('path', '')}", f"sha256 {model.get('sha256', '')}"),
        ("bskernel", " ".join(str(text) for text in (release.get("version"), release.get("commit")) if text)),
    ]
    return found + [(name, f"digest {_table(executors, name).get('digest', '')}") for name in executors]


def _rebuild(build: str) -> list[str]:
    import shlex

    name = shlex.quote(build)
    return [
        f"bskernel verify {name}    # compare every file, build it again, compare every artifact",
        f"bskernel run {shlex.quote(f'{build}/config.json')} --output again    # build it again",
    ]
