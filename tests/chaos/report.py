"""What a campaign counted, as text and as JSON."""

import tomllib
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from chaos.figures import FIGURES
from chaos.kind import Breach

KNOWN = Path(__file__).with_name("known_violations.toml")


class Finding(msgspec.Struct, kw_only=True):
    """A broken promise: `replay` repeats it."""

    replay: str
    item: str
    breach: Breach
    message: str


class Row(msgspec.Struct, kw_only=True):
    """One kind: how often it was tried, and what was found; `unable` says why this machine cannot try it."""

    kind: str
    promise: str
    tried: int = 0
    violations: list[Finding] = []
    unable: str | None = None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """One of the project's figures: of so many tried, so many broke the promise in the way that it counts."""

    figure: str
    goal: int  # how many should be tried, and none broken
    tried: int
    broken: int
    otherwise: int  # broke another promise


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A promise that is known to be broken, and why: CI lets it pass; `make chaos` counts it like any other.

    `item` and `message` are patterns as of the shell.
    """

    kind: str
    reason: str
    item: str = "*"
    message: str = "*"

    def covers(self, kind: str, finding: Finding) -> bool:
        """True when it is this that was found."""
        fits = fnmatchcase(finding.item, self.item) and fnmatchcase(finding.message, self.message)
        return kind == self.kind and fits


class _KnownFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    known: tuple[Known, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole: seed, duration in seconds, rows, the figures that they give, and the known violations of theirs."""

    seed: int
    seconds: float
    rows: tuple[Row, ...]
    figures: tuple[Count, ...]
    known: tuple[Known, ...]

    @property
    def violations(self) -> int:
        """How many promises were broken."""
        return sum(len(row.violations) for row in self.rows)

    @property
    def unknown(self) -> int:
        """How many of them no known violation covers."""
        return sum(
            not any(item.covers(row.kind, finding) for item in self.known)
            for row in self.rows
            for finding in row.violations
        )


def known_violations(path: Path = KNOWN) -> tuple[Known, ...]:
    """The list in known_violations.toml."""
    return msgspec.convert(tomllib.loads(path.read_text()), _KnownFile).known


def make_report(seed: int, seconds: float, rows: Sequence[Row]) -> Report:
    """The report of rows."""
    names = {row.kind for row in rows}
    known = tuple(item for item in known_violations() if item.kind in names)
    return Report(seed=seed, seconds=round(seconds, 1), rows=tuple(rows), figures=_figures_of(rows), known=known)


def _figures_of(rows: Sequence[Row]) -> tuple[Count, ...]:
    """The figures of which any kind was tried."""
    counts = []
    for figure in FIGURES:
        chosen = [row for row in rows if figure.counts(row.kind)]
        breaches = [finding.breach for row in chosen for finding in row.violations]
        broken = sum(breach in figure.breaches for breach in breaches)
        counts.append(
            Count(
                figure=figure.name,
                goal=figure.goal,
                tried=sum(row.tried for row in chosen),
                broken=broken,
                otherwise=len(breaches) - broken,
            )
        )
    return tuple(count for count in counts if count.tried)


def as_json(report: Report) -> bytes:
    """For programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _counted(findings: Sequence[Finding]) -> str:
    breaches = Counter(finding.breach for finding in findings)
    ways = ", ".join(f"{count} {breach}" for breach, count in sorted(breaches.items()))
    return f"{len(findings)} ({ways})" if findings else "0"


def as_text(report: Report) -> str:
    """A table of kinds, the project's figures, then each violation with the command that repeats it."""
    head = ("kind", "tried", "as promised", "violations")
    body = [
        (row.kind, f"{row.tried:,}", f"{row.tried - len(row.violations):,}", _counted(row.violations))
        if row.unable is None
        else (row.kind, "-", "-", f"not tried: {row.unable}")
        for row in report.rows
    ]
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(3)]
    lines = [
        f"  {line[0]:<{widths[0]}}  {line[1]:>{widths[1]}}  {line[2]:>{widths[2]}}  {line[3]}"
        for line in (head, *body)
    ]
    tried = sum(row.tried for row in report.rows)
    lines.append(f"{tried:,} tried, {report.violations} violations, seed {report.seed}, {report.seconds:.0f} s")
    for count in report.figures:
        others = f"; {count.otherwise} broke another promise" if count.otherwise else ""
        lines.append(f"figure: {count.figure}: {count.broken} of {count.tried:,} (goal: 0 of {count.goal:,}){others}")
    for row in report.rows:
        for finding in row.violations:
            item = f" ({finding.item})" if finding.item else ""
            lines += [f"violation {finding.replay}{item}", f"  promise: {row.promise}", f"  found: {finding.message}"]
            lines.append(f"  again: make chaos CHAOS='--replay {finding.replay}'")
    lines += [f"known violation of {item.kind} ({item.item}): {item.reason}" for item in report.known]
    return "\n".join(lines) + "\n"
