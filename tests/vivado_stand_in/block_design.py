"""Block designs: cells, pins, interfaces, nets. Of the STAND-IN."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import NoReturn

from vivado_stand_in.catalog import BROUGHT, Shape, repository, shape_of_module
from vivado_stand_in.project import Project
from vivado_stand_in.session import Session, Spec
from vivado_stand_in.tcl import TclError, join, split

_FOUND = {"-of": True, "-of_objects": True, "-filter": True, "-quiet": False, "-boundary_type": True}


def _plain(name: str) -> str:
    return "/" + name.strip("/")


class BlockDesigns:
    """The block design that is open; objects are their paths, such as /cell/pin."""

    def __init__(self, session: Session, project: Project) -> None:
        self.session, self.project = session, project
        self.name = ""
        self.cells: dict[str, Shape] = {}
        self.references: dict[str, str] = {}  # cell -> its module or VLNV
        self.ports: dict[str, str] = {}  # port -> the pin that it comes from
        self.interface_ports: dict[str, tuple[str, str]] = {}  # port -> that pin, and its mode
        self.connected: dict[str, set[str]] = {}  # interface pin -> those on its net
        self.catalog: dict[str, Shape] = {}
        add = session.add
        add("update_ip_catalog", Spec({"-rebuild": False, "-scan_changes": False}, "create_project"), self.update)
        add("create_bd_design", Spec({}, "create_project"), self.create_bd_design)
        add(
            "create_bd_cell",
            Spec({"-type": True, "-vlnv": True, "-reference": True}, "create_bd_design"),
            self.create_cell,
        )
        add("create_bd_pin", Spec({"-dir": True, "-type": True}, "create_bd_design"), self.create_pin)
        add("create_bd_intf_pin", Spec({"-mode": True, "-vlnv": True}, "create_bd_design"), self.create_interface_pin)
        add("delete_bd_objs", Spec({}, "create_bd_design"), self.delete)
        for name in ("cells", "pins", "intf_pins", "ports", "intf_ports", "intf_nets", "addr_segs"):
            add(f"get_bd_{name}", Spec(_FOUND, "create_bd_design"), getattr(self, f"get_{name}"))
        add("get_ipdefs", Spec({"-all": False, "-filter": True}, "create_project"), self.get_ipdefs)
        add("make_bd_pins_external", Spec({}, "create_bd_design"), self.make_pins_external)
        add("make_bd_intf_pins_external", Spec({}, "create_bd_design"), self.make_interface_pins_external)
        add("connect_bd_net", Spec({}, "create_bd_design"), self.connect_net)
        add("connect_bd_intf_net", Spec({"-boundary_type": True}, "create_bd_design"), self.connect_interfaces)
        add("apply_bd_automation", Spec({"-rule": True, "-config": True}, "create_bd_design"))
        add("assign_bd_address", Spec({"-offset": True, "-range": True}, "create_bd_design"))
        add("save_bd_design", Spec({}, "create_bd_design"), self.save)
        add("validate_bd_design", Spec({"-force": False}, "create_bd_design"), self.validate)
        add(
            "make_wrapper",
            Spec({"-files": True, "-top": False, "-import": False, "-fileset": True}, "save_bd_design"),
            self.make_wrapper,
        )
        set_property = project.set_property

        def rename_too(options: dict[str, str], values: list[str]) -> None:
            if values[:1] == ["name"] and len(values) == 3 and values[2]:
                self.rename(values[2], values[1])
            else:
                set_property(options, values)

        options = {"-dict": True, "-name": True, "-value": True, "-objects": True, "-quiet": False}
        add("set_property", Spec(options), rename_too)

    def update(self, _: dict[str, str], __: list[str]) -> None:
        paths = split(self.project.properties.get((self.project.name, "ip_repo_paths"), ""))
        self.catalog, twice = repository(paths)
        for vlnv, first, second in twice:
            text = (
                f"Duplicate IP found for '{vlnv}'. The one found in IP location '{first}' takes precedence: {second}"
            )
            self.session.message("WARNING", "IP_Flow 19-1663", text)

    def create_bd_design(self, _: dict[str, str], values: list[str]) -> None:
        self.name = values[0]
        path = self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("STAND-IN: no block design\n")
        self.project.files.append(str(path))

    @property
    def file(self) -> Path:
        return self.project.sources("bd", self.name, f"{self.name}.bd")

    # Cells and their pins

    def create_cell(self, options: dict[str, str], values: list[str]) -> str:
        cell, reference = _plain(values[0]), options.get("-reference")
        if cell in self.cells:
            self._fail("BD 5-7", f"a cell {cell} exists already")
        if reference is not None:
            text = self.project.module(reference)
            if text is None:
                self._fail("filemgmt 56-195", f"Unable to find the reference file for the module '{reference}'")
            self.cells[cell] = shape_of_module(text)
        elif options["-type"] == "ip":
            reference = options["-vlnv"]
            if reference not in BROUGHT and reference not in self.catalog:
                self._fail("BD 5-390", f"IP definition not found for VLNV: {reference}")
            self.cells[cell] = self.catalog.get(reference, Shape(None, None))
        else:
            self.cells[cell] = Shape()
        self.references[cell] = reference or ""
        return cell

    def _parent(self, path: str) -> Shape:
        cell = path.rpartition("/")[0]
        if cell not in self.cells:
            self._fail("BD 5-106", f"there is no cell {cell}")
        return self.cells[cell]

    def create_pin(self, _: dict[str, str], values: list[str]) -> None:
        pins = self._parent(_plain(values[0])).pins
        assert pins is not None
        pins.add(_plain(values[0]).rpartition("/")[2])

    def create_interface_pin(self, options: dict[str, str], values: list[str]) -> None:
        interfaces = self._parent(_plain(values[0])).interfaces
        assert interfaces is not None
        interfaces[_plain(values[0]).rpartition("/")[2]] = options["-mode"]

    def delete(self, _: dict[str, str], values: list[str]) -> None:
        self.cells.pop(_plain(values[0]), None)

    def get_cells(self, _: dict[str, str], values: list[str]) -> str:
        return self._told("cells", [cell for cell in self.cells if not values or _plain(values[0]) == cell], values)

    def get_pins(self, _: dict[str, str], values: list[str]) -> str:
        return self._told("pins", self._on_cells(values, "pins"), values)

    def get_intf_pins(self, options: dict[str, str], values: list[str]) -> str:
        net = options.get("-of", options.get("-of_objects"))
        if net is not None:
            return join([pin for port, (pin, _) in self.interface_ports.items() if port == net])
        if not values:
            return ""  # all of them, by a filter: none of those that FINN asks for
        return self._told("interface pins", self._on_cells(values, "interfaces"), values)

    def _on_cells(self, values: list[str], kind: str) -> list[str]:
        cell, _, name = _plain(values[0]).rpartition("/")
        shape = self.cells.get(cell)
        if shape is None:
            return []
        known = getattr(shape, kind)
        return (
            [f"{cell}/{name}"]
            if known is None
            else [f"{cell}/{pin}" for pin in known if fnmatch.fnmatchcase(pin, name)]
        )

    def _told(self, what: str, found: list[str], values: list[str]) -> str:
        if not found and values:
            self.session.message("WARNING", "BD 5-235", f"No {what} matched '{values[0]}'")
        return join(found)

    # Ports and nets

    def get_ports(self, _: dict[str, str], values: list[str]) -> str:
        return self._told("ports", [port for port in self.ports if port == _plain(values[0])], values)

    def get_intf_ports(self, options: dict[str, str], values: list[str]) -> str:
        if "AXI4LITE" in options.get("-filter", ""):
            return join([port for port, (_, mode) in self.interface_ports.items() if mode == "AXI4LITE"])
        return self._told(
            "interface ports", [port for port in self.interface_ports if port == _plain(values[0])], values
        )

    def get_intf_nets(self, options: dict[str, str], values: list[str]) -> str:
        return options.get("-of", values[0] if values else "")

    def get_addr_segs(self, _: dict[str, str], values: list[str]) -> str:
        return values[0]

    def get_ipdefs(self, options: dict[str, str], values: list[str]) -> str:
        known = [*BROUGHT, *self.catalog]
        if options.get("-filter", "").startswith("NAME =="):
            values = [f"*:{options['-filter'].partition('==')[2].strip()}:*"]
        return join([vlnv for vlnv in known if fnmatch.fnmatchcase(vlnv, values[0])])

    def make_pins_external(self, _: dict[str, str], values: list[str]) -> None:
        for pin in self._all(values):
            self.ports[f"/{pin.rpartition('/')[2]}_0"] = pin

    def make_interface_pins_external(self, _: dict[str, str], values: list[str]) -> None:
        for pin in self._all(values):
            shape = self.cells[pin.rpartition("/")[0]]
            mode = (shape.interfaces or {}).get(pin.rpartition("/")[2], "Master")
            self.interface_ports[f"/{pin.rpartition('/')[2]}_0"] = (pin, mode)
            self._connect(pin, "a port")

    def rename(self, item: str, name: str) -> None:
        if item in self.ports:
            self.ports[f"/{name}"] = self.ports.pop(item)
        elif item in self.interface_ports:
            self.interface_ports[f"/{name}"] = self.interface_ports.pop(item)
        else:
            raise TclError(f"ERROR: [Common 17-161] STAND-IN: {item} cannot be renamed")

    def _all(self, values: list[str]) -> list[str]:
        found = [item for value in values for item in split(value)]
        if not found or not all(values):
            self._fail("BD 5-106", "Arguments to the connect_bd_net command cannot be empty.")
        return found

    def connect_net(self, _: dict[str, str], values: list[str]) -> None:
        self._all(values)

    def connect_interfaces(self, _: dict[str, str], values: list[str]) -> None:
        first, second = self._all(values)
        self._connect(first, second)
        self._connect(second, first)

    def _connect(self, pin: str, other: str) -> None:
        nets = self.connected.setdefault(pin, set())
        # A hierarchy's own pin has a net on either side.
        is_boundary = self.references.get(pin.rpartition("/")[0]) == ""
        if len(nets) > is_boundary:
            self._fail(
                "BD 41-758", f"the interface pin {pin} is connected to {sorted(nets)[0]} already, not to {other} too"
            )
        nets.add(other)

    def save(self, _: dict[str, str], __: list[str]) -> None:
        self.file.write_text(f"STAND-IN: a block design of {len(self.cells)} cells\n")

    def validate(self, _: dict[str, str], __: list[str]) -> None:
        """A layer whose data nothing feeds makes a design that never begins."""
        for cell, shape in self.cells.items():
            for name, mode in (shape.interfaces or {}).items():
                if mode == "Slave" and name.startswith("in0") and f"{cell}/{name}" not in self.connected:
                    self._fail("BD 41-759", f"the stream {cell}/{name} is fed by nothing")

    def make_wrapper(self, options: dict[str, str], _: list[str]) -> None:
        if options["-files"] != str(self.file):
            self._fail("Vivado 12-818", "make_wrapper: no block design was given")
        name = f"{self.name}_wrapper"
        imported = self.project.sources("imports", "hdl") if "-import" in options else self.file.parent / "hdl"
        imported.mkdir(parents=True, exist_ok=True)
        ports = [
            *(port.strip("/") for port in self.ports),
            *(f"{port.strip('/')}_tdata" for port in self.interface_ports),
        ]
        body = ",\n".join(f"  input {port}" for port in ports)
        (imported / f"{name}.v").write_text(f"// STAND-IN: no wrapper\nmodule {name} (\n{body}\n);\nendmodule\n")
        if "-import" in options:
            self.project.files.append(str(imported / f"{name}.v"))
        handoff = self.project.generated("bd", self.name, "hw_handoff")
        handoff.mkdir(parents=True, exist_ok=True)
        (handoff / f"{self.name}.hwh").write_text("<!-- STAND-IN: no hardware handoff -->\n<EDKSYSTEM/>\n")
        self.project.instances = {
            cell.strip("/").replace("/", "_"): ref for cell, ref in self.references.items() if ref
        }

    def _fail(self, identity: str, text: str) -> NoReturn:
        self.session.message("ERROR", identity, text)
        raise TclError("ERROR: [Common 17-39] STAND-IN: the command failed due to earlier errors.")
