"""What exact rounding changed in a build, and what it could not make exact."""

from __future__ import annotations

from dataclasses import dataclass, field

_NAMED = 4  # quantizers that a warning names


@dataclass(kw_only=True)
class RoundingReport:
    """What was changed, and what cannot be exact."""

    quantizers: int = 0  # whose thresholds are exact now
    thresholds: int = 0  # of them
    moved: int = 0  # thresholds that decide differently than FINN's for some float32 number
    unmatched: list[str] = field(default_factory=list)  # quantizers that keep FINN's thresholds, with the reason
    inexact: list[str] = field(default_factory=list)  # quantizers of sums that float32 does not hold exactly
    terms: int = 0  # largest number of products in such a sum
    doubtful: int = 0  # thresholds of inexact quantizers
    undecided: int = 0  # of them, those within the rounding error of a possible sum


def describe_rounding(report: RoundingReport) -> list[dict[str, str]]:
    """Return rows for the build's summary."""
    rows = []
    if report.quantizers:
        text = f"{report.moved} of {report.thresholds} thresholds of {report.quantizers} quantizer(s)"
        rows.append({"label": "exact rounding", "value": text, "note": "moved to where the network rounds"})
    if report.unmatched:
        more = f" and {len(report.unmatched) - _NAMED} more" if len(report.unmatched) > _NAMED else ""
        text = "FINN's own rounding is kept in " + "; ".join(report.unmatched[:_NAMED]) + more
        rows.append({"label": "warning", "value": text, "note": "exact_rounding"})
    if report.undecided:
        names = ", ".join(report.inexact[:_NAMED])
        more = f" and {len(report.inexact) - _NAMED} more" if len(report.inexact) > _NAMED else ""
        text = f"{report.undecided} of {report.doubtful} thresholds lie within the rounding errors of a possible sum"
        note = (
            f"{names}{more}: scales are not powers of two, so float32 may be off by up to {report.terms + 1} ulps in "
            "their sums; verification warns of each frame that differs for this"
        )
        rows.append({"label": "float32 sums", "value": text, "note": note})
    return rows
