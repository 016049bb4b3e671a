"""Interfaces of modules and IPs: from Verilog and component.xml, and of what Vivado brings. Of the STAND-IN."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", re.S)
_PORT = re.compile(r"\b(input|output)\s+(?:(?:wire|logic|reg|uwire)\s+)*(?:\[[^;,]*?\]\s*)*(\w+)")
_STREAM, _MEMORY = re.compile(r"(\w+)_TDATA$", re.I), re.compile(r"(\w+)_(AWADDR|ARADDR)$", re.I)
# Of these every pin is taken to be there.
BROUGHT = (
    "xilinx.com:ip:processing_system7:5.5",
    "xilinx.com:ip:zynq_ultra_ps_e:3.5",
    "xilinx.com:ip:axi_interconnect:2.1",
    "xilinx.com:ip:smartconnect:1.0",
    "xilinx.com:ip:clk_wiz:6.0",
    "xilinx.com:ip:proc_sys_reset:5.0",
    "xilinx.com:ip:axi_gpio:2.0",
)


@dataclass
class Shape:
    """Pins, and interfaces by name with their mode; None for what is not known."""

    pins: set[str] | None = field(default_factory=set)
    interfaces: dict[str, str] | None = field(default_factory=dict)


def shape_of_module(text: str) -> Shape:
    """Of a module, as Vivado infers streams and memory-mapped interfaces from its ports' names."""
    head = _COMMENT.sub("", text.partition("endmodule")[0])
    found = Shape(set(), {})
    assert found.pins is not None
    assert found.interfaces is not None
    for direction, name in _PORT.findall(head):
        found.pins.add(name)
        if match := _STREAM.match(name):
            found.interfaces[match[1]] = "Slave" if direction == "input" else "Master"
        elif match := _MEMORY.match(name):
            found.interfaces[match[1]] = "AXI4LITE"
    return found


def component(vlnv: str, shape: Shape, files: Iterable[str]) -> str:
    """A component.xml."""
    vendor, library, name, version = vlnv.split(":")
    intfs = "\n".join(
        f'    <spirit:busInterface mode="{mode}"><spirit:name>{intf}</spirit:name></spirit:busInterface>'
        for intf, mode in sorted((shape.interfaces or {}).items())
    )
    ports = "\n".join(
        f"    <spirit:port><spirit:name>{pin}</spirit:name></spirit:port>" for pin in sorted(shape.pins or ())
    )
    listed = "\n".join(f"    <spirit:file><spirit:name>{path}</spirit:name></spirit:file>" for path in files)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- STAND-IN, packaged by {os.environ["XILINX_VIVADO"]} -->
<spirit:component xmlns:spirit="http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009">
  <spirit:vendor>{vendor}</spirit:vendor>
  <spirit:library>{library}</spirit:library>
  <spirit:name>{name}</spirit:name>
  <spirit:version>{version}</spirit:version>
  <spirit:busInterfaces>
{intfs}
  </spirit:busInterfaces>
  <spirit:ports>
{ports}
  </spirit:ports>
  <spirit:fileSets>
  <spirit:fileSet>
{listed}
  </spirit:fileSet>
  </spirit:fileSets>
</spirit:component>
"""


def read_component(path: Path) -> tuple[str, Shape]:
    """VLNV and shape of a component.xml."""
    text = path.read_text()
    parts = [re.search(rf"<spirit:{part}>(.*?)</", text) for part in ("vendor", "library", "name", "version")]
    intfs = re.findall(r'<spirit:busInterface mode="(\w+)"><spirit:name>(\w+)<', text)
    ports = re.findall(r"<spirit:port><spirit:name>(\w+)<", text)
    return ":".join(match[1] for match in parts if match), Shape(set(ports), {name: mode for mode, name in intfs})


def repository(folders: Iterable[str]) -> tuple[dict[str, Shape], list[tuple[str, Path, Path]]]:
    """The IPs in some folders, and those that are in two places: the first one counts."""
    found: dict[str, Shape] = {}
    places: dict[str, Path] = {}
    twice = []
    for folder in folders:
        for path in sorted(Path(folder).rglob("component.xml")):
            vlnv, shape = read_component(path)
            if places.setdefault(vlnv, path) == path:
                found[vlnv] = shape
            else:
                twice.append((vlnv, places[vlnv], path))
    return found, twice
