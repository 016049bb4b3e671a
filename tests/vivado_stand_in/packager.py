"""`ipx`: a block design, or a project's sources, packaged as an IP. Of the STAND-IN."""

from __future__ import annotations

import shutil
from pathlib import Path

from vivado_stand_in.block_design import BlockDesigns
from vivado_stand_in.catalog import Shape, component, shape_of_module
from vivado_stand_in.project import Project
from vivado_stand_in.session import BEHAVIOUR, Session, Spec
from vivado_stand_in.tcl import TclError

_CORE = "component_1"
_OF = {"-of": True, "-of_objects": True, "-quiet": False}


class Packager:
    """The core that is being packaged."""

    def __init__(self, session: Session, project: Project, designs: BlockDesigns) -> None:
        self.session, self.project, self.designs = session, project, designs
        self.root, self.vlnv = Path(), ""
        self.files: list[str] = []
        self.shape = Shape()
        packaged = "ipx::package_project"
        named = dict.fromkeys(("-root_dir", "-vendor", "-library", "-taxonomy", "-module"), True)
        session.add(packaged, Spec(named | {"-import_files": False}, "create_project"), self.package)
        session.add("ipx::associate_bus_interfaces", Spec({"-busif": True, "-clock": True}, packaged), self.associate)
        session.add("ipx::current_core", Spec({}, packaged), lambda _, __: _CORE)
        session.add("ipx::find_open_core", Spec({}, packaged), self.find)
        for name in ("ipx::remove_segment", "ipx::create_xgui_files", "ipx::update_checksums", "ipx::remove_file"):
            session.add(name, Spec({"-quiet": False}, packaged))
        session.add("ipx::save_core", Spec({}, packaged), lambda _, __: self.save())
        for name in ("get_address_spaces", "get_bus_interfaces", "get_bus_parameters", "get_file_groups"):
            session.add(f"ipx::{name}", Spec(_OF, packaged), lambda options, values: (values or [options["-of"]])[0])
        session.add("ipx::get_files", Spec(_OF, packaged), lambda _, __: "")
        session.add("ipx::add_file_group", Spec({"-type": True}, packaged), lambda options, _: options["-type"])
        session.add("ipx::add_file", Spec({}, packaged), self.add_file)
        for name in ("ipx::add_memory_map", "ipx::add_address_block"):
            session.add(name, Spec({}, packaged), lambda _, values: values[0])

    def package(self, options: dict[str, str], _: list[str]) -> None:
        name = options.get("-module", self.project.top)
        if "-module" in options:
            if "make_wrapper" not in self.session.done:
                raise TclError("ERROR: [Common 17-69] STAND-IN: ipx::package_project before make_wrapper")
            if name != self.designs.name:
                raise TclError(f"ERROR: [Common 17-69] STAND-IN: there is no block design {name}")
            pins = {port.strip("/") for port in self.designs.ports}
            interfaces = {port.strip("/"): mode for port, (_, mode) in self.designs.interface_ports.items()}
            self.shape = Shape(pins, interfaces)
        else:
            text = self.project.module(name)
            if text is None:
                raise TclError(f"ERROR: [IP_Flow 19-627] STAND-IN: no source has the top module '{name}'")
            self.shape = shape_of_module(text)
        if BEHAVIOUR == "packaging":
            self.session.fail("IP_Flow 19-167", "Failed to deliver one or more file(s).")
        self.root = Path(options["-root_dir"])
        self.vlnv = f"{options['-vendor']}:{options['-library']}:{name}:1.0"
        sources = self.root / "src"
        sources.mkdir(parents=True)
        for path in self.project.files:
            shutil.copy(path, sources / Path(path).name)
        self.files = sorted(f"src/{path.name}" for path in sources.iterdir())
        self.save()

    def save(self) -> None:
        """Write component.xml."""
        text = component(self.vlnv, self.shape, self.files)
        (self.root / "component.xml").write_text(text)

    def associate(self, options: dict[str, str], _: list[str]) -> None:
        """A stream of the core, with its clock."""
        if options["-busif"] not in (self.shape.interfaces or {}):
            raise TclError(f"ERROR: [IP_Flow 19-1712] STAND-IN: there is no bus interface '{options['-busif']}'")
        if options["-clock"] not in (self.shape.pins or ()):
            raise TclError(f"ERROR: [IP_Flow 19-1712] STAND-IN: there is no clock '{options['-clock']}'")

    def find(self, _: dict[str, str], values: list[str]) -> str:
        if values != [self.vlnv]:
            raise TclError(f"ERROR: [Common 17-55] STAND-IN: no core {values} is open")
        return _CORE

    def add_file(self, _: dict[str, str], values: list[str]) -> str:
        if not (self.root / values[0]).is_file():
            raise TclError(f"ERROR: [Common 17-55] STAND-IN: File '{values[0]}' does not exist in {self.root}")
        self.files.append(values[0])
        return values[0]
