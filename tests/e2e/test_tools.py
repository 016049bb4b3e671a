"""Steps with an installed tool, by the command line, in either runtime, with the stand-in for Vivado."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, statuses, write
from vivado_stand_in.install import make_install

CONFIG = """
[build]
name = "sum"
model = "number.txt"
[tools.vivado]
path = "{path}"
[tools.vivado.versions]
"2022.2" = "Xilinx/Vivado/2022.2"
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:ask-tool"
{more}
"""
SERVER = "2100@licences.example.invalid"


def steps_of(folder: Path) -> list[Any]:
    steps: list[Any] = result_of(folder / "build" / "sum")["steps"]
    return steps


def texts_of(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        files = {member.name.partition("/")[2]: archive.extractfile(member) for member in archive}
        return {name: file.read().decode() for name, file in files.items() if file is not None}


@pytest.mark.in_both
def test_a_step_has_its_tool_read_only_with_its_licence_file_and_no_network(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], runtime: str
) -> None:
    licence = tmp_path / "Xilinx.lic"
    licence.write_text("FEATURE")
    surroundings["XILINXD_LICENSE_FILE"] = str(licence)
    done = cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more="")))
    assert done.returncode == 0, done.stderr
    seen = steps_of(tmp_path)[1]["record"]
    assert seen["said"] == "Vivado STAND-IN v2024.2 (64-bit)"
    assert seen["tools"]["vivado"].startswith("Vivado STAND-IN 2024.2 build 1000001 ")
    assert (seen["licence"], seen["licence_file"], seen["local_user_data"]) == (True, True, "no")
    if runtime == "docker":
        assert (seen["writable"], seen["interfaces"]) == (False, 1)
    log = (tmp_path / "build" / "sum" / "steps" / "01-ask-tool" / "log.jsonl").read_text()
    assert "the licence is <licence>" in log


@pytest.mark.container
@pytest.mark.parametrize("runtime", ["docker"], indirect=True)
def test_a_network_is_given_for_a_licence_server_and_said(
    cli: Any, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    surroundings["LM_LICENSE_FILE"] = SERVER
    done = cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more="")))
    assert done.returncode == 0, done.stderr
    assert "network: testing@1 has access to it because its tool needs a licence server" in done.stderr
    assert steps_of(tmp_path)[1]["record"]["interfaces"] > 1


def test_a_licence_is_in_no_log_key_manifest_or_failure(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], cache: Path
) -> None:
    server = surroundings["XILINXD_LICENSE_FILE"] = "refuse-me@example.invalid"
    done = cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more="")), "--verbose")
    assert done.returncode == 3
    assert "licence: no licence at <licence>" in done.stdout
    assert "<licence> is down" in done.stdout
    for part in (server, "example.invalid"):
        assert part not in done.stdout + done.stderr
        for path in (*(tmp_path / "build").rglob("*"), *cache.rglob("*")):
            assert not path.is_file() or part.encode() not in path.read_bytes(), path


def test_the_same_install_elsewhere_is_a_hit_and_another_version_reruns_only_what_uses_it(
    cli: Any, tmp_path: Path
) -> None:
    assert cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more=""))).returncode == 0
    assert cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "moved"), more=""))).returncode == 0
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["recalled", "recalled"]
    config = write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx", "2023.1", build="7"), more=""))
    planned = cli("plan", config).stdout
    assert f"needs vivado: Vivado STAND-IN 2023.1 (build 7), {tmp_path / 'Xilinx'}" in planned
    assert "tool vivado: Vivado STAND-IN 2024.2 build 1000001" in planned
    assert cli("run", config).returncode == 0
    assert list(statuses(tmp_path / "build" / "sum").values()) == ["recalled", "ran"]


@pytest.mark.in_both
def test_two_versions_serve_one_build(cli: Any, tmp_path: Path) -> None:
    make_install(tmp_path / "Xilinx", "2022.2")
    more = '[[step]]\nname = "older"\nentry = "testing:ask-tool"\ntools = { vivado = "2022.2" }\n'
    done = cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more=more)))
    assert done.returncode == 0, done.stderr
    said = [step["record"]["said"] for step in steps_of(tmp_path)[1:]]
    assert said == ["Vivado STAND-IN v2024.2 (64-bit)", "Vivado STAND-IN v2022.2 (64-bit)"]


@pytest.mark.in_both
def test_a_step_with_a_tool_is_replayed_with_it(cli: Any, tmp_path: Path) -> None:
    cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more="")))
    done = cli("replay", str(tmp_path / "build" / "sum"), "ask-tool")
    assert done.returncode == 0, done.stderr
    assert "STAND-IN v2024.2" in (tmp_path / "replay" / "01-ask-tool" / "out" / "model").read_text()


def test_a_step_without_its_tool_is_refused_before_anything_runs(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text('[build]\nmodel="number.txt"\n[[step]]\nentry="testing:ask-tool"\n')
    done = cli("run", str(tmp_path / "build.toml"))
    assert done.returncode == 4
    assert "step ask-tool needs vivado, but tools.vivado.path is not set" in done.stderr
    assert not (tmp_path / "build").exists()
    chosen = f"tools.vivado.path={make_install(tmp_path / 'Xilinx')}"
    assert cli("run", str(tmp_path / "build.toml"), "--set", chosen).returncode == 0


@pytest.mark.in_both
def test_what_a_tool_orphans_is_reaped_while_it_runs(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text('[build]\nmodel="number.txt"\n[[step]]\nentry="testing:orphan"\n')
    done = cli("run", str(tmp_path / "build.toml"), "--set", f"tools.vivado.path={make_install(tmp_path / 'Xilinx')}")
    assert done.returncode == 0, done.stdout


def test_the_doctor_tells_installs_licences_and_what_flows_lack(
    cli: Any, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    surroundings["XILINXD_LICENSE_FILE"] = SERVER
    install = make_install(tmp_path / "Xilinx")
    surroundings["PATH"] = f"{install}/bin:{surroundings['PATH']}"
    (tmp_path / "home" / ".Xilinx").mkdir(parents=True)
    (tmp_path / "home" / ".Xilinx" / "mine.lic").write_text("FEATURE")
    surroundings["HOME"] = str(tmp_path / "home")
    text = cli("doctor").stdout
    assert "~/.Xilinx: 1 not visible to steps" in text
    assert f"vivado: Vivado STAND-IN 2024.2 (build 1000001)  {install}" in text
    assert "XILINXD_LICENSE_FILE: set (1 server)" in text
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["installs"][0]["install"]["build"] == "1000001"
    assert found["room"]["disk_free"] > 0
    assert {"estimate", "rtl"} <= {flow["name"] for flow in found["flows"]}
    assert SERVER not in text + json.dumps(found)


@pytest.mark.parametrize("command", [("bundle",), ("doctor", "--bundle")])
def test_a_bundle_holds_the_logs_of_a_build_and_no_secret(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], command: tuple[str, ...]
) -> None:
    surroundings["XILINXD_LICENSE_FILE"] = SERVER
    assert cli("run", write(tmp_path, CONFIG.format(path=make_install(tmp_path / "Xilinx"), more=""))).returncode == 0
    reports = tmp_path / "build" / "sum" / "artifacts" / "vivado_synthesis"
    reports.mkdir(parents=True)
    (reports / "utilization.rpt").write_text(f"| LUT | 7 | by {SERVER.partition('@')[2]}")
    (reports / "design.dcp").write_text("a checkpoint")
    done = cli(*command, "build/sum", "--output", "report.tar.gz")
    assert done.returncode == 0, done.stderr
    texts = texts_of(tmp_path / "report.tar.gz")
    report = "artifacts/vivado_synthesis/utilization.rpt"
    assert {"machine.json", "result.json", "steps/01-ask-tool/log.jsonl", report} <= texts.keys()
    assert texts[report] == "| LUT | 7 | by <secret>"
    assert not [name for name in texts if name.endswith(".dcp")]
    for private in (SERVER, SERVER.partition("@")[2], str(Path.home())):
        assert not [name for name, text in texts.items() if private in text]


@pytest.mark.parametrize("command", [("bundle",), ("doctor", "--bundle")])
def test_a_bundle_without_a_build_is_what_the_doctor_tells(
    cli: Any, tmp_path: Path, surroundings: dict[str, str], command: tuple[str, ...]
) -> None:
    install = make_install(tmp_path / "Xilinx")
    surroundings |= {"PATH": f"{install}/bin:{surroundings['PATH']}", "LM_LICENSE_FILE": SERVER}
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    texts = texts_of(tmp_path / "machine.bskernel.tar.gz")
    assert texts.keys() == {"CONTENTS.txt", "machine.json"}
    machine = json.loads(texts["machine.json"])
    assert machine["installs"][0]["install"]["build"] == "1000001"
    assert machine["licences"]["LM_LICENSE_FILE"] == "set (1 server)"
    assert {flow["name"] for flow in machine["flows"]} >= {"estimate", "synth"}
    assert str(tmp_path) not in texts["machine.json"]
    assert cli("bundle", "--with-model").returncode == 2
    for wrong in (("--bundle", "--json"), ("build/sum",), ("--output", "x.tar.gz")):
        assert cli("doctor", *wrong).returncode == 2
