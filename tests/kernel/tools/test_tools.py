"""Installed tools: found in either layout, identified by what they are, given to the steps that need them."""

import shutil
from pathlib import Path

import pytest
from bskernel.config.schema import ToolSection
from bskernel.core.errors import BskernelError, ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef, Step
from bskernel.runtime.tool_mounts import tool_mounts_for
from bskernel.tools import equip, find_again, find_installs, identify, licences_of
from vivado_stand_in.install import make_hls_install, make_install

STEP = Step(
    index=0,
    name="measure",
    executor=ExecutorRef(name="testing", version="1", digest="d"),
    entry="measure",
    parameters={},
    inputs={},
    outputs=(),
    needs=("vivado",),
)


def equipped(tmp_path: Path, sections: dict[str, ToolSection], **versions: str) -> Step:
    step = Step(**{name: getattr(STEP, name) for name in STEP.__struct_fields__} | {"tool_versions": versions})
    (found,) = equip(
        (step,), sections, tmp_path / "build.toml", lambda tool, path, where: identify(tool, path, tmp_path, where)
    )
    return found


@pytest.mark.parametrize("layout", ["VERSION below Vivado", "Vivado below VERSION"])
def test_an_install_says_its_version_and_build(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    root = make_install(tmp_path / "Xilinx", "2025.1", build="6140274", layout=layout)
    found = identify("vivado", root, tmp_path, "tools.vivado.path")
    assert (found.product, found.version, found.build, found.root) == ("Vivado STAND-IN", "2025.1", "6140274", root)
    if layout == "Vivado below VERSION":
        assert identify("vivado", root.parent, tmp_path, "tools.vivado.path") == found


def test_vitis_hls_says_its_version_in_a_banner(tmp_path: Path) -> None:
    found = identify("vitis_hls", make_hls_install(tmp_path), tmp_path, "tools.vitis_hls.path")
    assert (found.product, found.version, found.build) == ("Vitis HLS STAND-IN", "2024.2", "1000002")


def test_the_data_that_lies_beside_an_install_belongs_to_it(tmp_path: Path) -> None:
    old, new = make_install(tmp_path / "a"), make_install(tmp_path / "b", layout="Vivado below VERSION")
    for folder in (tmp_path / "a" / "SharedData" / "2024.2", tmp_path / "b" / "2024.2" / "SharedData"):
        folder.mkdir(parents=True)
    assert identify("vivado", old, tmp_path, "").beside == (tmp_path / "a" / "SharedData" / "2024.2",)
    assert identify("vivado", new, tmp_path, "").beside == (tmp_path / "b" / "2024.2" / "SharedData",)


def test_an_install_is_the_same_wherever_it_lies_and_another_one_when_it_is_patched(tmp_path: Path) -> None:
    here = identify("vivado", make_install(tmp_path / "here"), tmp_path, "")
    settings = here.root / "bin" / "settings64.sh"
    settings.write_text(f"export XILINX_VIVADO={here.root}\n")
    here = identify("vivado", here.root, tmp_path, "")
    shutil.copytree(here.root, tmp_path / "there" / "Vivado" / "2024.2")
    (tmp_path / "there" / "Vivado" / "2024.2" / "bin" / "settings64.sh").write_text(
        f"export XILINX_VIVADO={tmp_path / 'there' / 'Vivado' / '2024.2'}\n"
    )
    there = identify("vivado", tmp_path / "there" / "Vivado" / "2024.2", tmp_path, "")
    assert here.identity == there.identity
    (there.root / "patches").mkdir()
    (there.root / "patches" / "AR000001.tcl").write_text("set patched 1")
    assert identify("vivado", there.root, tmp_path, "").identity != here.identity


def test_an_install_is_asked_once(tmp_path: Path) -> None:
    root = make_install(tmp_path / "Xilinx")
    first = identify("vivado", root, tmp_path, "")
    # It answers no more, and its bytes are the same: links do not show what lies behind them.
    assert [path.name for path in (tmp_path / "tools").iterdir()] == [f"vivado-{first.fingerprint}.json"]
    assert identify("vivado", root, tmp_path, "") == first


def test_an_install_that_cannot_run_here_is_known_by_its_folder_and_asked_again(tmp_path: Path) -> None:
    root, library = make_install(tmp_path / "Xilinx"), tmp_path / "libtinfo.so.5"
    program = root / "bin" / "vivado"
    (root / "lib" / "vivado").write_bytes(program.read_bytes())
    program.write_text(
        f"#!/bin/sh\n[ -e {library} ] || {{ echo '{library.name}: cannot open' >&2; exit 127; }}\n"
        f'. "$(dirname "$0")/../lib/vivado"\n'
    )
    found = identify("vivado", root, tmp_path, "")
    assert (found.version, found.build) == ("2024.2", "unknown")
    assert find_again("vivado", found.identity, tmp_path) == found
    shutil.copytree(root, tmp_path / "moved" / "vivado")
    with pytest.raises(EnvironmentLacking, match="libtinfo"):
        identify("vivado", tmp_path / "moved" / "vivado", tmp_path, "")
    library.touch()
    assert identify("vivado", root, tmp_path, "").build == "1000001"


def test_a_replayed_step_gets_the_same_install_or_none(tmp_path: Path) -> None:
    root = make_install(tmp_path / "Xilinx")
    found = identify("vivado", root, tmp_path, "")
    assert find_again("vivado", found.identity, tmp_path) == found
    (root / "lib" / "more").write_text("an update")
    with pytest.raises(EnvironmentLacking, match="now"):
        find_again("vivado", found.identity, tmp_path)


def test_a_step_gets_the_default_or_the_version_that_it_names(tmp_path: Path) -> None:
    new, old = make_install(tmp_path / "Xilinx"), make_install(tmp_path / "Xilinx", "2022.2")
    sections = {"vivado": ToolSection(path="Xilinx/Vivado/2024.2", versions={"2022.2": str(old)})}
    assert equipped(tmp_path, sections).executor.tools[0].root == new
    assert equipped(tmp_path, sections, vivado="2022.2").executor.tools[0].root == old


@pytest.mark.parametrize(
    ("kind", "sections", "versions", "needles"),
    [
        (EnvironmentLacking, {}, {}, ["step measure needs vivado", "tools.vivado.path", "bskernel doctor", "--to"]),
        (EnvironmentLacking, {"vivado": ToolSection(path="gone")}, {}, ["tools.vivado.path", "gone", "bin/vivado"]),
        (ConfigError, {"vivdao": ToolSection(path="x")}, {}, ["[tools.vivdao]", "did you mean 'vivado'"]),
        (
            ConfigError,
            {"vivado": ToolSection(path="x")},
            {"vivado": "2019.1"},
            ["'2019.1'", "[tools.vivado.versions]"],
        ),
        (ConfigError, {"vivado": ToolSection(path="x")}, {"quartus": "1"}, ["tools.quartus", "it uses: vivado"]),
        (
            ConfigError,
            {"vivado": ToolSection(versions={"2022.1": "Xilinx/Vivado/2024.2"})},
            {"vivado": "2022.1"},
            ['tools.vivado.versions."2022.1"', "Vivado STAND-IN 2024.2 (build 1000001)"],
        ),
    ],
)
def test_a_tool_that_is_not_there_is_refused_by_its_key(
    tmp_path: Path,
    kind: type[BskernelError],
    sections: dict[str, ToolSection],
    versions: dict[str, str],
    needles: list[str],
) -> None:
    make_install(tmp_path / "Xilinx")
    with pytest.raises(kind) as caught:
        equipped(tmp_path, sections, **versions)
    for needle in (str(tmp_path / "build.toml"), *needles):
        assert needle in f"{caught.value.message} {caught.value.hint}"


def test_installs_are_found_in_either_layout_in_path_and_by_their_variable(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    roots = [
        make_install(opt, "2022.2"),
        make_install(opt, "2025.1", layout="Vivado below VERSION"),
        make_install(tmp_path / "elsewhere", "2023.1"),
        make_install(tmp_path / "named", "2023.2"),
    ]
    (opt / "Vivado" / "2021.1").mkdir()
    surroundings = {"PATH": f"{roots[2]}/bin:/usr/bin", "XILINX_VIVADO": str(roots[3])}
    found = find_installs(tmp_path, surroundings, (opt,))
    assert [(item.root, item.install.version if item.install else None) for item in found] == [
        (roots[0], "2022.2"),
        (roots[2], "2023.1"),
        (roots[3], "2023.2"),
        (roots[1], "2025.1"),
    ]


def test_licences_are_told_by_their_kind_and_never_by_their_value(tmp_path: Path) -> None:
    file = tmp_path / "Xilinx.lic"
    file.write_text("FEATURE")
    found = licences_of({"XILINXD_LICENSE_FILE": f"2100@lic.example.com:{file}", "LM_LICENSE_FILE": "/nowhere.lic"})
    assert found.floating
    assert found.files == (file,)
    assert found.missing == ("LM_LICENSE_FILE",)
    assert found.shown() == {"XILINXD_LICENSE_FILE": "set (1 server and 1 file)", "LM_LICENSE_FILE": "set (1 file)"}
    assert licences_of({}).shown() == {"XILINXD_LICENSE_FILE": "not set", "LM_LICENSE_FILE": "not set"}


def test_a_container_gets_the_tool_read_only_and_a_network_only_for_a_licence_server(tmp_path: Path) -> None:
    tools = (identify("vivado", make_install(tmp_path / "Xilinx"), tmp_path, ""),)
    alone = tool_mounts_for(tools, {})
    assert (alone.folders, alone.network) == ((tools[0].root,), "none")
    assert alone.variables["XILINX_VIVADO"] == str(tools[0].root)
    assert alone.variables["PATH"].startswith(f"{tools[0].root}/bin:")
    assert f"--volume={tools[0].root}:{tools[0].root}:ro" in alone.options()
    file = tmp_path / "Xilinx.lic"
    file.write_text("FEATURE")
    assert tool_mounts_for(tools, {"LM_LICENSE_FILE": str(file)}).folders == (tools[0].root, file)
    floating = tool_mounts_for(tools, {"LM_LICENSE_FILE": "2100@lic.example.com"})
    assert floating.network == "bridge"
    assert "lic.example.com" not in " ".join(floating.options())
    assert tool_mounts_for((), {"LM_LICENSE_FILE": "2100@lic.example.com"}).network == "none"


def test_a_tool_in_a_folder_of_the_container_s_own_is_refused() -> None:
    install = type(STEP.executor)(name="a", version="b", digest="c")
    assert install.tools == ()
    from bskernel.core.tool import ToolInstall

    tool = ToolInstall(tool="vivado", product="V", version="1", build="1", fingerprint="f", root=Path("/usr/local/V"))
    with pytest.raises(ConfigError, match="/usr/local/V"):
        tool_mounts_for((tool,), {})
