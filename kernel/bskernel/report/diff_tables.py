"""A comparison as tables of text."""

from __future__ import annotations

from collections import Counter

import msgspec

from bskernel.result.comparison import Comparison
from bskernel.result.comparison.keys import KeyChange
from bskernel.result.comparison.steps import UsedExecutor
from bskernel.result.quantities import STAND_IN, QuantityComparison

ABSENT = "absent"
FEW = 4  # step names in one cell
_VERDICTS = {"passed": "passed", "failed": "FAILED", "missing": "MISSING NUMBER", "ignored": "ignored"}


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a comparison: a title and rows; `quiet` are rows without a difference."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    quiet: tuple[tuple[str, ...], ...] = ()
    numbers: frozenset[str] = frozenset()  # columns with numbers


def plural(count: int, noun: str) -> str:
    """`1 key`, `2 keys`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _value(value: object) -> str:
    # Strings are quoted: "5" differs from 5, and "absent" from absent.
    return ABSENT if value is None else msgspec.json.encode(value).decode()


def _keys(changes: tuple[KeyChange, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((change.key, _value(change.base), _value(change.new)) for change in changes)


def _config(comparison: Comparison) -> Table:
    if comparison.config is None:
        sides = " and ".join(comparison.config_missing)
        return Table(title=f"configuration: not compared, {sides} has no config.json (an older build, or a copy)")
    if not comparison.config:
        return Table(title="configuration: the same")
    title = f"configuration: {plural(len(comparison.config), 'key')} changed"
    return Table(title=title, columns=("key", "A", "B"), rows=_keys(comparison.config))


def _executor(used: UsedExecutor | None) -> str:
    if used is None:
        return ABSENT
    return f"{used.name} [{used.digest[:12] if used.digest else 'digest not kept'}]"


def _executors(comparison: Comparison) -> Table:
    both = [step for step in comparison.steps if step.base_executor and step.new_executor]
    changed: dict[tuple[str, str], list[str]] = {}
    for step in both:
        if not step.same_executor:
            pair = (_executor(step.base_executor), _executor(step.new_executor))
            changed.setdefault(pair, []).append(step.name)
    if not changed:
        unknown = sum(
            None in {used.digest for used in (step.base_executor, step.new_executor) if used} for step in both
        )
        but = f" by name and version; digest unknown for {unknown}" if unknown else ""
        return Table(title=f"executors: the same in {plural(len(both), 'step')}{but}")
    rows = tuple((*pair, _few(names)) for pair, names in changed.items())
    title = f"executors: changed in {plural(sum(map(len, changed.values())), 'step')}"
    return Table(title=title, columns=("A", "B", "steps"), rows=rows)


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{', '.join(names[: FEW - 1])} and {len(names) - FEW + 1} more"


def _steps(comparison: Comparison) -> Table:
    counts = Counter(step.status for step in comparison.steps)
    rows = []
    for step in comparison.steps:
        if step.same:
            continue
        outputs = ", ".join(step.outputs)
        if step.status == "same":
            # The step is not deterministic, or a cache was tampered with.
            what: tuple[str, ...] = (f"same key, but different output: {outputs}",)
        elif step.status == "changed":
            what = (*step.changes, f"different output: {outputs}" if outputs else "same output")
        else:
            what = step.changes or (_executor(step.new_executor or step.base_executor),)
        rows.append((step.name, step.status, "; ".join(what)))
    title = f"steps: {', '.join(f'{count} {status}' for status, count in sorted(counts.items())) or 'none'}"
    return Table(title=title, columns=("step", "key", "what"), rows=tuple(rows))


def _facts(comparison: Comparison) -> tuple[Table, ...]:
    if not comparison.facts:
        return ()
    return (
        Table(
            title=f"findings: {len(comparison.facts)} changed",
            columns=("finding", "A", "B"),
            rows=_keys(comparison.facts),
        ),
    )


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:,.10g}"


def _metric(item: QuantityComparison) -> tuple[str, ...]:
    change = "" if item.change is None else "same" if item.same else f"{item.change:+,.6g}"
    relative = "" if item.relative is None or item.same else f"{100 * item.relative:+.3g} %"
    base = _number(item.base) + (f" {item.base_unit}" if item.base_unit else "")
    return (item.name, item.stage, base, _number(item.new), change, relative, item.unit, item.source)


def _metrics(comparison: Comparison) -> Table:
    if not comparison.metrics:
        return Table(title="metrics: neither build has any")
    changed = [item for item in comparison.metrics if not item.same]
    absent = sum(item.base is None or item.new is None for item in changed)
    also = f", {absent} of them missing on one side" if absent else ""
    recorded = sum(item.source.startswith(STAND_IN) for item in comparison.metrics)
    also += f"; {plural(recorded, 'number')} from a stand-in, not from hardware" if recorded else ""
    return Table(
        title=f"metrics: {len(changed)} of {plural(len(comparison.metrics), 'number')} changed{also}",
        columns=("quantity", "stage", "A", "B", "change", "relative", "unit", "source"),
        rows=tuple(_metric(item) for item in changed),
        quiet=tuple(_metric(item) for item in comparison.metrics if item.same),
        numbers=frozenset({"A", "B", "change", "relative"}),
    )


def _gates(comparison: Comparison) -> tuple[Table, ...]:
    if not comparison.gates:
        return ()
    counts = Counter(_VERDICTS[verdict.status] for verdict in comparison.gates)
    rows = tuple(
        (_VERDICTS[verdict.status], verdict.gate.name, verdict.gate.fail_if, verdict.text, verdict.gate.reason)
        for verdict in comparison.gates
    )
    title = f"gates: {', '.join(f'{count} {status}' for status, count in sorted(counts.items()))}"
    return (Table(title=title, columns=("verdict", "gate", "fails if", "judged by", "reason"), rows=rows),)


def tables_of(comparison: Comparison) -> tuple[Table, ...]:
    """Configuration, executors, steps, findings, metrics, and the gates, if any."""
    return (
        _config(comparison),
        _executors(comparison),
        _steps(comparison),
        *_facts(comparison),
        _metrics(comparison),
        *_gates(comparison),
    )
