"""A comparison of two builds as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bskernel.core.notebook_html import heading, html_table, paragraph

if TYPE_CHECKING:
    from bskernel.result.comparison.builds import Comparison


def comparison_html(comparison: Comparison) -> str:
    """The verdict of the gates, then what differs: numbers, facts, configuration, steps."""
    base, new = comparison.base, comparison.new
    differs = "the same" if comparison.same else "different"
    verdict = f"gates {'failed' if comparison.failed else 'passed'}" if comparison.gates else differs
    names = f"{base.label} (A, {base.status}) and {new.label} (B, {new.status})"
    changed = [quantity for quantity in comparison.metrics if not quantity.same]
    steps = [step for step in comparison.steps if not step.same]
    config = comparison.config or ()
    return "".join(
        (
            heading(names, verdict),
            html_table(
                "gates",
                ("gate", "verdict", "why"),
                [(one.gate.title, one.status, one.text) for one in comparison.gates],
            ),
            html_table(
                f"numbers: {len(changed)} of {len(comparison.metrics)} differ",
                ("quantity", "stage", "unit", "A", "B", "change"),
                [
                    (
                        one.name,
                        one.stage,
                        one.unit,
                        one.base,
                        one.new,
                        f"{100 * one.relative:+.3g} %" if one.relative is not None else None,
                    )
                    for one in changed
                ],
            ),
            html_table(
                "facts", ("fact", "A", "B"), [(one.key, _json(one.base), _json(one.new)) for one in comparison.facts]
            ),
            html_table(
                "configuration", ("key", "A", "B"), [(one.key, _json(one.base), _json(one.new)) for one in config]
            ),
            html_table(
                f"steps: {len(steps)} of {len(comparison.steps)} differ",
                ("step", "status", "what changed", "outputs that differ"),
                [(one.name, one.status, "; ".join(one.changes), ", ".join(one.outputs)) for one in steps],
            ),
            *(
                paragraph(f"{side}: changed since the build: {line}")
                for side, build in (("A", base), ("B", new))
                for line in build.altered
            ),
        )
    )


def _json(value: object) -> str:
    return "absent" if value is None else msgspec.json.encode(value).decode()
