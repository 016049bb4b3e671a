"""Gates as JUnit XML. Each gate is a test case; a gate with a missing number is an error, or skipped if so asked."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from bskernel.core.visible_text import visible
from bskernel.result.comparison import Comparison, Verdict

# Characters that XML 1.0 cannot express, not even escaped.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHILD = {"failed": "failure", "missing": "error", "ignored": "skipped"}


def _text(text: str) -> str:
    return _UNSAYABLE.sub("\ufffd", visible(text))


def _details(verdict: Verdict) -> str:
    lines = [f"fail if: {verdict.gate.fail_if}", verdict.text]
    if verdict.gate.reason:
        lines.append(f"reason: {verdict.gate.reason}")
    return "\n".join(
        [*lines, *(f"{r.side} {r.found.name}@{r.found.stage}: {r.found.source}" for r in verdict.readings)]
    )


def as_junit(comparison: Comparison) -> str:
    """The gates in the form that Jenkins and GitLab read. Without times: nothing was run."""
    verdicts = comparison.gates
    counts = {
        "tests": len(verdicts),
        "failures": sum(verdict.status == "failed" for verdict in verdicts),
        "errors": sum(verdict.status == "missing" for verdict in verdicts),
    }
    totals = {name: str(count) for name, count in counts.items()}
    name = _text(f"bskernel diff {comparison.base.label} {comparison.new.label}")
    root = ET.Element("testsuites", {"name": name, **totals})
    skipped = str(sum(verdict.status == "ignored" for verdict in verdicts))
    suite = ET.SubElement(root, "testsuite", {"name": name, **totals, "skipped": skipped})
    for verdict in verdicts:
        case = ET.SubElement(
            suite,
            "testcase",
            {"classname": _text(f"gates.{comparison.new.name}"), "name": _text(verdict.gate.title)},
        )
        child = _CHILD.get(verdict.status)
        if child == "skipped":
            # As text: Jenkins' older schema has no attribute for it.
            ET.SubElement(case, child).text = _text(_details(verdict))
        elif child is not None:
            attributes = {"message": _text(verdict.text), "type": verdict.status}
            ET.SubElement(case, child, attributes).text = _text(_details(verdict))
        else:
            ET.SubElement(case, "system-out").text = _text(_details(verdict))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
