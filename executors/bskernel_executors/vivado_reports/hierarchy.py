"""Read `report_utilization -hierarchical`, as text or XML: the resources of each instance."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import parse_count
from bskernel_executors.vivado_reports.tables import ReportRow, ReportTable, read_tables

# Vivado's columns in its order -> our names. A report omits resources that its device does not have.
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
    """One row: an instance with everything below it or, if named `(NAME)`, only its own logic."""

    name: str
    module: str
    depth: int
    used: dict[str, int]  # resource -> count


class Hierarchy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rows in order. There are no paths: a lost line would change the paths of those after it."""

    header: ReportHeader | None = None  # of a text report; XML has another header
    instances: tuple[Instance, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def top(self) -> Instance | None:
        """The row of the whole design, or None."""
        tops = [row for row in self.instances if row.module == _TOP and not row.name.startswith("(")]
        return tops[0] if len(tops) == 1 else None

    def resources_of(self, name: str) -> dict[str, int]:
        """Return the resources of the only instance of that name; empty if there is none, or more than one."""
        found = [row.used for row in self.instances if row.name == name]
        return found[0] if len(found) == 1 else {}


def _parse_counts(row: ReportRow) -> dict[str, int]:
    """Parse the counts. With -hierarchical_percentages a cell reads `1009(0.75%)`."""
    values = {
        ours: parse_count(row.cells[name].partition("(")[0]) for name, ours in _COLUMNS.items() if name in row.cells
    }
    used = {name: value for name, value in values.items() if value is not None}
    parts = [used.get(name) for name in ("LUT_LOGIC", "LUTRAM", "SRL")]
    if None in parts or used.get("LUT") != sum(part for part in parts if part is not None):
        for name in ("LUT", "LUT_LOGIC", "LUTRAM", "SRL"):
            used.pop(name, None)
    return used


def _hierarchy(tables: Iterator[ReportTable], header: ReportHeader | None = None) -> Hierarchy:
    warnings = [] if header is None else list(header.check_version("hierarchical utilization"))
    instances: list[Instance] = []
    for table in tables:
        if "Instance" not in table.columns or "Module" not in table.columns:
            continue
        known = [name for name in table.columns if name in _COLUMNS]
        if known != sorted(known, key=list(_COLUMNS).index):
            warnings.append("the columns of the hierarchical report are not in Vivado's order")
            continue
        for row in table.rows:
            name, module = row.cells["Instance"], row.cells["Module"]
            if name and module:
                found = Instance(name=name, module=module, depth=row.depth, used=_parse_counts(row))
                if not instances or instances[-1] != found:
                    instances.append(found)
    if not instances:
        warnings.append("no instance was found in the hierarchical report")
    return Hierarchy(header=header, instances=tuple(instances), warnings=tuple(warnings))


def read_hierarchy(text: str) -> Hierarchy:
    """Read the rows of a text report."""
    return _hierarchy(read_tables(text), read_header(text))


def _contents(row: ET.Element, tag: str) -> list[str]:
    return [cell.get("contents", "") for cell in row if cell.tag == tag]


def _xml_rows(element: ET.Element, depth: int) -> Iterator[tuple[int, ET.Element]]:
    # Vivado indents the first cell. Rows inside rows count as deeper, too.
    for row in element:
        if row.tag == "tablerow":
            yield depth, row
            yield from _xml_rows(row, depth + 1)


def _xml_tables(root: ET.Element) -> Iterator[ReportTable]:
    for table in root.iter("table"):
        columns: tuple[str, ...] = ()
        rows: list[ReportRow] = []
        for depth, row in _xml_rows(table, 0):
            head, cells = _contents(row, "tableheader"), _contents(row, "tablecell")
            if head and not columns:
                columns = tuple(name.strip() for name in head)
            elif len(cells) == len(columns) == len(set(columns)):
                indent = (len(cells[0]) - len(cells[0].lstrip(" "))) // 2
                values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
                rows.append(ReportRow(cells=values, depth=depth + indent))
        if columns:
            yield ReportTable(columns=columns, rows=tuple(rows))


def read_hierarchy_xml(text: str) -> Hierarchy:
    """Read the rows of an XML report. An incomplete one has no rows."""
    if "<!ENTITY" in text:
        return Hierarchy(warnings=("the hierarchical report defines XML entities, which Vivado never does",))
    try:
        root = ET.fromstring(text)  # noqa: S314 - without entities nothing can expand
    except ET.ParseError as error:
        return Hierarchy(warnings=(f"the hierarchical report is not complete XML: {error}",))
    return _hierarchy(_xml_tables(root))
