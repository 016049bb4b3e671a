"""The header of a report: tool, version, design, device, state."""

from __future__ import annotations

import re

import msgspec

KNOWN_YEARS = range(2018, 2026)  # of the Vivado versions whose reports these readers know
_LINE = re.compile(r"^\| ([A-Z][A-Za-z ]*?) *: (.*\S) *\n", re.MULTILINE)
_VERSION = re.compile(r"(Vivado(?: STAND-IN)?) v\.?(\d{4}\.\d+(?:\.\d+)?)")
_BUILD = re.compile(r"\bBuild (\d+)")
STAND_IN = "STAND-IN"


class ReportHeader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says about itself. Vivado sometimes prints the device without its prefix "xc"."""

    tool: str | None = None
    version: str | None = None
    build: str | None = None
    design: str | None = None
    device: str | None = None
    state: str | None = None

    @property
    def stand_in(self) -> bool:
        """Whether the tests' stand-in for Vivado wrote the report."""
        return STAND_IN in (self.tool or "")

    def check_version(self, what: str) -> tuple[str, ...]:
        """Return warnings about a missing or unknown version; `what` is the kind of report."""
        if self.version is None:
            return (f"the {what} report does not say which Vivado wrote it",)
        if int(self.version[:4]) not in KNOWN_YEARS:
            return (f"the {what} report is from Vivado {self.version}, which this reader does not know",)
        return ()


def parse_tool(text: str) -> tuple[str | None, str | None, str | None]:
    """Parse tool, version and build number from a line like `Vivado v.2019.2 (lin64) Build 2708876 ...`."""
    version, build = _VERSION.search(text), _BUILD.search(text)
    return (
        version.group(1) if version else None,
        version.group(2) if version else None,
        build.group(1) if build else None,
    )


def read_header(text: str) -> ReportHeader:
    """Read the header of a text report. What it does not say is None."""
    fields: dict[str, str] = {}
    for name, value in _LINE.findall(text[:4000]):
        fields.setdefault(name, value)
    tool, version, build = parse_tool(fields.get("Tool Version", ""))
    return ReportHeader(
        tool=tool,
        version=version,
        build=build,
        design=fields.get("Design"),
        device=fields.get("Device"),
        state=fields.get("Design State"),
    )
