"""Projects: files, properties, runs. Of the STAND-IN."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from vivado_stand_in.design import Design
from vivado_stand_in.session import VERSION, Session, Spec, checkpoint_is_written, synthesis_ends
from vivado_stand_in.tcl import TclError, join, split

_LANGUAGE = {
    ".v": "Verilog",
    ".sv": "SystemVerilog",
    ".vh": "Verilog Header",
    ".svh": "Verilog Header",
    ".vhd": "VHDL",
}
_GENERATED = float(VERSION[:6]) >= 2020.2  # since then what is generated lies in NAME.gen, not NAME.srcs


class Project:
    """The project that is open; kept in its .xpr."""

    def __init__(self, session: Session, design: Design) -> None:
        self.session, self.design = session, design
        self.folder, self.name, self.part, self.top = Path(), "", "", ""
        self.files: list[str] = []
        self.runs: dict[str, str] = {"synth_1": "0%", "impl_1": "0%"}
        self.instances: dict[str, str] = {}
        self.properties: dict[tuple[str, str], str] = {}
        self.parameters: dict[str, str] = {"board.repoPaths": ""}
        add = session.add
        add("create_project", Spec({"-part": True, "-force": False}), self.create_project)
        add("open_project", Spec(), self.open_project)
        add("close_project", Spec(), self.close_project)
        add("current_project", Spec({}, "create_project"), lambda _, __: self.name)
        add("current_fileset", Spec({}, "create_project"), lambda _, __: "sources_1")
        add("get_filesets", Spec(), lambda _, values: values[0])
        add("set_param", Spec(), self.set_param)
        add("get_param", Spec(), lambda _, values: self.parameters.get(values[0], ""))
        for name in ("set_msg_config", "reset_msg_config"):
            add(name, Spec({"-id": True, "-suppress": False, "-new_severity": True}))
        add("version", Spec({"-short": False}), lambda _, __: f"{VERSION}-STAND-IN")
        add(
            "add_files",
            Spec({"-norecurse": False, "-copy_to": True, "-fileset": True}, "create_project"),
            self.add_files,
        )
        add("get_files", Spec({"-filter": True, "-quiet": False}, "create_project"), self.get_files)
        add("update_compile_order", Spec({"-fileset": True}, "create_project"))
        add(
            "set_property",
            Spec({"-dict": True, "-name": True, "-value": True, "-objects": True, "-quiet": False}),
            self.set_property,
        )
        add("get_property", Spec({"-quiet": False}), self.get_property)
        add("get_runs", Spec({}, "create_project"), self.get_runs)
        add("reset_run", Spec({}, "create_project"), self.reset_run)
        add("launch_runs", Spec({"-jobs": True, "-to_step": True}, "create_project"), self.launch_runs)
        add("wait_on_run", Spec({}, "launch_runs"), self.wait_on_run)
        add("open_run", Spec({"-name": True}, "create_project"), self.open_run)

    # The project itself

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.xpr"

    def create_project(self, options: dict[str, str], values: list[str]) -> None:
        self.name, self.folder, self.part = values[0], Path(values[1]).absolute(), options["-part"]
        self.design.part = self.part
        if not re.fullmatch(r"xc[0-9a-z]+-?[a-z0-9-]+", self.part):
            raise TclError(f"ERROR: [Coretcl 2-106] STAND-IN: Specified part could not be found: {self.part}")
        if self.path.exists() and "-force" not in options:
            raise TclError(f"ERROR: [Common 17-53] STAND-IN: the project {self.path} exists already")
        cache = self.folder / f"{self.name}.cache" / "wt"
        cache.mkdir(parents=True)
        (cache / "synthesis.wdf").write_bytes(b"STAND-IN\0\1" + bytes(str(self.folder), "utf-8"))
        self.save()

    def save(self) -> None:
        """Write the .xpr, with absolute paths as Vivado's has them."""
        kept = {name: getattr(self, name) for name in ("part", "top", "files", "runs", "instances")}
        kept["Note"] = f"STAND-IN, of the install {os.environ['XILINX_VIVADO']}"
        self.path.write_text(json.dumps(kept, indent=1))

    def open_project(self, _: dict[str, str], values: list[str]) -> None:
        path = Path(values[0])
        if not path.is_file():
            raise TclError(f"ERROR: [Coretcl 2-27] STAND-IN: Can't find specified project: {path}")
        self.folder, self.name = path.absolute().parent, path.stem
        for name, value in json.loads(path.read_text()).items():
            setattr(self, name, value)
        self.design.part, self.design.instances = self.part, self.instances
        missing = [name for name in self.files if not Path(name).is_file()]
        if missing:
            raise TclError(f"ERROR: [Common 17-55] STAND-IN: File '{missing[0]}' of the project does not exist")
        self.session.done.append("create_project")

    def close_project(self, _: dict[str, str], __: list[str]) -> None:
        self.save()

    def generated(self, *parts: str) -> Path:
        """Where what is generated lies."""
        return Path(self.folder, f"{self.name}.{'gen' if _GENERATED else 'srcs'}", "sources_1", *parts)

    def sources(self, *parts: str) -> Path:
        """Where block designs lie."""
        return Path(self.folder, f"{self.name}.srcs", "sources_1", *parts)

    # Files

    def add_files(self, _: dict[str, str], values: list[str]) -> None:
        for path in (Path(item).absolute() for value in values for item in split(value)):
            if not path.is_file():
                raise TclError(f"ERROR: [Vivado 12-172] STAND-IN: File or Directory '{path}' does not exist")
            if str(path) not in self.files:
                self.files.append(str(path))

    def get_files(self, options: dict[str, str], values: list[str]) -> str:
        if values:
            found = [name for name in self.files if any(name == v or Path(name).match(v) for v in values)]
            if not found:
                self.session.message("WARNING", "Vivado 12-818", f"No files matched '{values[0]}'")
            return join(found)
        kinds = {kind.strip('"') for kind in re.findall(r'FILE_TYPE == ("[^"]+"|\w+)', options.get("-filter", ""))}
        return join([name for name in self.files if not kinds or _LANGUAGE.get(Path(name).suffix) in kinds])

    def module(self, name: str) -> str | None:
        """The text of a module of the sources, from its name on."""
        for path in self.files:
            if Path(path).suffix in _LANGUAGE:
                match = re.search(rf"^\s*module\s+{re.escape(name)}\b.*", Path(path).read_text(), re.S | re.M)
                if match is not None:
                    return match.group()
        return None

    # Properties

    def set_property(self, options: dict[str, str], values: list[str]) -> None:
        if "-dict" in options:
            given = split(options["-dict"])
            pairs = list(zip(given[::2], given[1::2], strict=True))
        elif "-name" in options:
            pairs = [(options["-name"], options["-value"])]
        else:
            pairs, values = [(values[0], values[1])], values[2:]
        objects = split(options.get("-objects", " ".join(values)))
        if not objects:
            raise TclError("ERROR: [Common 17-161] STAND-IN: Invalid option value '' specified for 'objects'.")
        for name, value in pairs:
            for item in objects:
                self._set(item, name, value)

    def _set(self, item: str, name: str, value: str) -> None:
        if name == "board_part":
            self._find_board(value)
        if name == "top":
            self.top = value
        self.properties[item, name.lower()] = value

    def _find_board(self, board_part: str) -> None:
        name = board_part.split(":")[1]
        folders = [Path(folder) for folder in split(self.parameters["board.repoPaths"])]
        known = [path for folder in folders if folder.is_dir() for path in folder.rglob("board.xml")]
        if not any(f'name="{name}"' in path.read_text() for path in known):
            raise TclError(
                f"ERROR: [Board 49-71] STAND-IN: The board_part definition was not found for {board_part}."
                " The project's board_part property was not set, but the project's part property was set"
            )

    def set_param(self, _: dict[str, str], values: list[str]) -> None:
        self.parameters[values[0]] = values[1]

    def get_property(self, options: dict[str, str], values: list[str]) -> str:
        name, items = values[0], split(values[1])
        if not items:
            raise TclError("ERROR: [Common 17-161] STAND-IN: Invalid option value '' specified for 'object'.")
        item = items[0]
        known = {"progress": self.runs.get(item, ""), "needs_refresh": "0", "vlnv": item, "name": Path(item).name}
        known |= {"directory": str(self.folder), "config.addr_width": "6"}
        return self.properties.get((item, name.lower()), known.get(name.lower(), ""))

    # Runs

    def get_runs(self, _: dict[str, str], values: list[str]) -> str:
        if values[0] not in self.runs:
            self.session.message("WARNING", "Vivado 12-818", f"No runs matched '{values[0]}'")
            return ""
        return values[0]

    def reset_run(self, _: dict[str, str], values: list[str]) -> None:
        self.runs[values[0]] = "0%"

    def launch_runs(self, options: dict[str, str], values: list[str]) -> None:
        if not self.top:
            raise TclError("ERROR: [Common 17-70] STAND-IN: the project has no top")
        self.save()
        names = ["synth_1"] if values == ["synth_1"] else ["synth_1", "impl_1"]
        for name in names:
            if self.runs[name] != "100%":
                self._launch(name, options)

    def _launch(self, name: str, options: dict[str, str]) -> None:
        """A run is a process of its own, in a folder of its own, with a log of its own."""
        folder = self.folder / f"{self.name}.runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        # Its database of messages is binary, and holds paths.
        (folder / "vivado.pb").write_bytes(b"STAND-IN\0\1" + bytes(str(folder), "utf-8"))
        program = [sys.executable, "-B", "-m", "vivado_stand_in.run"]
        done = subprocess.run(
            [*program, name, self.top, self.part, options.get("-to_step", "")],
            cwd=folder,
            check=False,
        )
        self.runs[name] = "100%" if done.returncode == 0 else "failed"
        if done.returncode > 128 or done.returncode < 0:
            raise SystemExit(done.returncode if done.returncode > 0 else 128 - done.returncode)

    def wait_on_run(self, _: dict[str, str], values: list[str]) -> None:
        name = split(values[0])[0]
        failed = [run for run, state in self.runs.items() if state == "failed"]
        if failed:
            self.session.message("ERROR", "Vivado 12-13638", f"Failed runs(s) : '{failed[0]}'")
            raise TclError("ERROR: [Common 17-39] STAND-IN: 'wait_on_runs' failed due to earlier errors.")
        self.session.say(f"STAND-IN: {name} finished")
        self.save()

    def open_run(self, _: dict[str, str], values: list[str]) -> None:
        if self.runs.get(values[0]) != "100%":
            raise TclError(f"ERROR: [Common 17-69] STAND-IN: Command failed: the run {values[0]} is not complete")
        self.session.done += ["synth_design"] + (["opt_design", "route_design"] if values[0] == "impl_1" else [])
        self.design.instances, self.design.top = self.instances, self.top


def run(session: Session, design: Design, name: str, top: str, to_step: str) -> None:
    """What the process of a run does, in the run's folder."""
    if name == "synth_1":
        synthesis_ends(session)
        checkpoint_is_written(session, Path(f"{top}.dcp"))
        return
    session.done += ["synth_design", "opt_design"]
    for step in ("place_design", "route_design"):
        session.tcl.commands[step]()
    design.report_timing_summary({"-file": f"{top}_timing_summary_routed.rpt"}, [])
    checkpoint_is_written(session, Path(f"{top}_routed.dcp"))
    if to_step == "write_bitstream":
        Path(f"{top}.bit").write_text("STAND-IN: no bitstream\n")
