"""`report_utilization -hierarchical`, as text and as XML: what each instance takes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import count
from bskernel_executors.vivado_reports.tables import Row, Table, read_tables

# Vivado's columns in its order, by our names; a report leaves out what its device has not.
_COLUMNS = {
    "Total LUTs": "LUT",
    "Logic LUTs": "LUT_LOGIC",
    "LUTRAMs": "LUTRAM",
    "SRLs": "SRL",
    "FFs": "FF",
    "RAMB36": "BRAM_36K",
    "RAMB18": "BRAM_18K",
    "URAM": "URAM",
    "DSP48 Blocks": "DSP",
    "DSP Blocks": "DSP",
    "DSP Slices": "DSP",
}
_TOP = "(top)"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One row: an instance with all below it, or, named `(NAME)`, with its own logic alone."""

    name: str
    module: str
    depth: int
    used: dict[str, int]


class Hierarchy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rows in order. A path is not offered: a line that is lost would change it."""

    header: ReportHeader | None = None  # of a text report: XML has another head
    instances: tuple[Instance, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def top(self) -> Instance | None:
        """The whole design, or None."""
        tops = [row for row in self.instances if row.module == _TOP and not row.name.startswith("(")]
        return tops[0] if len(tops) == 1 else None

    def of(self, name: str) -> dict[str, int]:
        """What the only instance of that name takes; nothing when there is none, or more than one."""
        found = [row.used for row in self.instances if row.name == name]
        return found[0] if len(found) == 1 else {}


def _used(row: Row) -> dict[str, int]:
    """Counts; with -hierarchical_percentages a cell is `1009(0.75%)`."""
    values = {ours: count(row.cells[name].partition("(")[0]) for name, ours in _COLUMNS.items() if name in row.cells}
    used = {name: value for name, value in values.items() if value is not None}
    parts = [used.get(name) for name in ("LUT_LOGIC", "LUTRAM", "SRL")]
    if None in parts or used.get("LUT") != sum(part for part in parts if part is not None):
        for name in ("LUT", "LUT_LOGIC", "LUTRAM", "SRL"):
            used.pop(name, None)
    return used


def _hierarchy(tables: Iterator[Table], header: ReportHeader | None = None) -> Hierarchy:
    warnings = [] if header is None else list(header.warnings("hierarchical utilization"))
    instances: list[Instance] = []
    for table in tables:
        if "Instance" not in table.columns or "Module" not in table.columns:
            continue
        known = [name for name in table.columns if name in _COLUMNS]
        if known != sorted(known, key=list(_COLUMNS).index):
            warnings.append("the columns of the hierarchical report stand in an order that Vivado does not write")
            continue
        for row in table.rows:
            name, module = row.cells["Instance"], row.cells["Module"]
            if name and module:
                found = Instance(name=name, module=module, depth=row.depth, used=_used(row))
                if not instances or instances[-1] != found:
                    instances.append(found)
    if not instances:
        warnings.append("no instance was found in the hierarchical report")
    return Hierarchy(header=header, instances=tuple(instances), warnings=tuple(warnings))


def read_hierarchy(text: str) -> Hierarchy:
    """The rows of a text report."""
    return _hierarchy(read_tables(text), read_header(text))


def _contents(row: ET.Element, tag: str) -> list[str]:
    return [cell.get("contents", "") for cell in row if cell.tag == tag]


def _xml_rows(element: ET.Element, depth: int) -> Iterator[tuple[int, ET.Element]]:
    # Vivado indents the first cell; rows inside rows are read as deeper too.
    for row in element:
        if row.tag == "tablerow":
            yield depth, row
            yield from _xml_rows(row, depth + 1)


def _xml_tables(root: ET.Element) -> Iterator[Table]:
    for table in root.iter("table"):
        columns: tuple[str, ...] = ()
        rows: list[Row] = []
        for depth, row in _xml_rows(table, 0):
            head, cells = _contents(row, "tableheader"), _contents(row, "tablecell")
            if head and not columns:
                columns = tuple(name.strip() for name in head)
            elif len(cells) == len(columns) == len(set(columns)):
                indent = (len(cells[0]) - len(cells[0].lstrip(" "))) // 2
                values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
                rows.append(Row(cells=values, depth=depth + indent))
        if columns:
            yield Table(columns=columns, rows=tuple(rows))


def read_hierarchy_xml(text: str) -> Hierarchy:
    """The rows of an XML report; one that is not whole says nothing."""
    if "<!ENTITY" in text:
        return Hierarchy(warnings=("the hierarchical report defines entities, which Vivado does not",))
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities there is nothing to blow up
    except ET.ParseError as error:
        return Hierarchy(warnings=(f"the hierarchical report is not whole XML: {error}",))
    return _hierarchy(_xml_tables(root))
