"""What a project may do: asked for by its file, decided by the user's files and environment alone."""

import contextlib
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError, NotTrusted
from bskernel.workspace.tool_trust import tool_key, tool_request
from bskernel.workspace.trust import Trust
from bskernel.workspace.trust_file import Grants, config_folder, read_grants, write_grants
from bskernel.workspace.trust_request import TrustRequest
from hypothesis import given
from hypothesis import strategies as st
from vivado_stand_in.install import make_install

TOOL = TrustRequest(kind="tool", key="tools.vivado.path", value="tool", target="/p/tool", digest="d")
STORE = TrustRequest(kind="store", key="store.shared", value="s3://b/x", target="s3://b/x")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "p").mkdir()
    return tmp_path / "p" / "build.toml"


def trust(tmp_path: Path, said: str | None = None) -> Trust:
    own = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    return Trust(own if said is None else own | {"BSKERNEL_TRUST": said})


def test_a_refusal_names_the_file_the_key_the_value_and_how_to_allow_it(tmp_path: Path, project: Path) -> None:
    with pytest.raises(NotTrusted) as raised:
        trust(tmp_path).require(project, [TOOL, STORE])
    text = f"{raised.value.message}\n{raised.value.hint}"
    for part in (str(project), "tools.vivado.path = tool", "store.shared = s3://b/x", f"bskernel trust {project}"):
        assert part in text
    assert f"BSKERNEL_TRUST={project.parent}" in text
    assert raised.value.exit_code == 6


def test_what_was_granted_is_allowed_in_that_folder_and_exactly_as_it_was(tmp_path: Path, project: Path) -> None:
    write_grants(tmp_path / "config" / "bskernel", Grants(projects={str(project.parent): (TOOL,)}))
    assert trust(tmp_path).allows(project.parent, TOOL)
    assert not trust(tmp_path).allows(tmp_path, TOOL)
    for other in ({"digest": "e"}, {"target": "/p/other"}, {"kind": "store"}, {"key": "tools.vitis_hls.path"}):
        fields = {name: getattr(TOOL, name) for name in TOOL.__struct_fields__}
        assert not trust(tmp_path).allows(project.parent, TrustRequest(**fields | other))


@pytest.mark.parametrize(
    ("said", "allowed"),
    [("1", True), ("{p}", True), ("{p}/..", True), ("/x:{p}", True), ("", False), ("0", False), ("{p}x", False)],
)
def test_the_environment_names_projects(tmp_path: Path, project: Path, said: str, allowed: bool) -> None:
    assert trust(tmp_path, said.format(p=project.parent)).allows(project.parent, TOOL) is allowed


@pytest.mark.parametrize("said", ["yes", "p", ".", "/x:relative"])
def test_a_relative_folder_in_the_environment_is_an_error(tmp_path: Path, project: Path, said: str) -> None:
    with pytest.raises(ConfigError, match="BSKERNEL_TRUST"):
        trust(tmp_path, said).allows(project.parent, TOOL)


@pytest.mark.parametrize("name", ["config.toml", "trust.json"])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_decides_nothing(tmp_path: Path, project: Path, name: str, mode: int) -> None:
    folder = tmp_path / "config" / "bskernel"
    folder.mkdir(parents=True)
    (folder / name).write_text("" if name == "config.toml" else '{"projects": {}}')
    (folder / name).chmod(mode)
    with pytest.raises(ConfigError, match="other users"):
        trust(tmp_path).allows(project.parent, TOOL)


def test_a_user_s_list_of_stores_covers_the_store_itself_and_no_other(tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "config" / "bskernel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[trust]\nstores = ["s3://b/x/"]\n')
    assert trust(tmp_path).allows(project.parent, STORE)
    for target in ("s3://b/x/y", "s3://b/xx", "s3://b", "s3://b/x (0123)"):
        other = TrustRequest(kind="store", key="store.shared", value=target, target=target)
        assert not trust(tmp_path).allows(project.parent, other)


@given(data=st.binary())
def test_any_bytes_in_place_of_what_was_granted_are_an_error_or_read(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "trust.json").write_bytes(data)
    with contextlib.suppress(ConfigError):
        assert isinstance(read_grants(folder), Grants)


def test_the_configuration_folder_is_never_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert config_folder({"XDG_CONFIG_HOME": "here"}) == config_folder({}) == Path("/home/me/.config/bskernel")
    assert config_folder({"XDG_CONFIG_HOME": "/c"}) == Path("/c/bskernel")


# Tools


def test_any_change_in_a_tool_of_the_project_makes_another_request(tmp_path: Path) -> None:
    tool = make_install(tmp_path / "p" / "tool")

    def digest() -> str:
        found = tool_request("vivado", tool, "tools.vivado.path", tmp_path / "p", {})
        assert found is not None
        return found.digest

    seen = {digest()}
    for change in (
        lambda: (tool / "data" / "new").touch(),
        lambda: (tool / "data" / "new").write_text("x"),
        lambda: (tool / "data" / "new").chmod(0o755),
        lambda: (tool / "data" / "link").symlink_to("a"),
        lambda: (tool.parent / "SharedData").mkdir(),
    ):
        change()
        seen.add(digest())
    assert len(seen) == 6


def test_an_install_that_the_environment_names_needs_no_trust_outside_the_project(tmp_path: Path) -> None:
    tool = make_install(tmp_path / "x")

    def asked(project: str, environment: dict[str, str]) -> bool:
        return tool_request("vivado", tool, "tools.vivado.path", tmp_path / project, environment) is not None

    assert asked("p", {"PATH": "/usr/bin"})
    assert not asked("p", {"PATH": f"/usr/bin:{tool}/bin"})
    assert not asked("p", {"PATH": "", "XILINX_VIVADO": str(tool)})
    assert asked("x", {"PATH": f"{tool}/bin", "XILINX_VIVADO": str(tool)})
    assert tool_request("vivado", tmp_path / "none", "tools.vivado.path", tmp_path, {}) is None


def test_keys_of_tools_are_read_as_errors_show_them() -> None:
    assert tool_key("tools.vivado.path") == ("tools", "vivado", "path")
    assert tool_key('tools.vivado.versions."2022.2"') == ("tools", "vivado", "versions", "2022.2")


def test_what_is_granted_is_written_for_the_user_alone(tmp_path: Path) -> None:
    path = write_grants(tmp_path / "c", Grants(projects={"/p": (TOOL, STORE)}))
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_grants(tmp_path / "c").projects == {"/p": (TOOL, STORE)}
