"""Flows as files: their own steps, or another flow's with changes."""

from pathlib import Path

import pytest
from bskernel.config import Flow
from bskernel.core.errors import ConfigError
from bskernel.flow.loader import flow_names, load_config


def flow_of(folder: Path, name: str) -> Flow:
    (folder / "net.onnx").touch()
    (folder / "build.toml").write_text(f'[build]\nmodel = "net.onnx"\nflow = "{name}"\n')
    return load_config(folder / "build.toml").flow


def names(flow: Flow) -> list[str]:
    return [str(step.name or step.entry).rpartition(":")[2] for step in flow.step]


def test_every_shipped_flow_is_whole_and_says_what_it_does(tmp_path: Path) -> None:
    assert len(flow_names()) >= 5
    for name in flow_names():
        flow = flow_of(tmp_path, name)
        assert flow.summary
        assert len(set(names(flow))) == len(flow.step) > 5


def test_a_flow_has_the_steps_of_the_one_that_it_extends_and_its_own(tmp_path: Path) -> None:
    base, more = names(flow_of(tmp_path, "estimate")), names(flow_of(tmp_path, "codegen"))
    assert more == [*base[:-1], "early_metrics", "step_hw_codegen", base[-1]]


def test_a_user_s_flow_extends_a_shipped_one_or_another_file(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.toml").write_text(
        'extends = "estimate"\n[edit]\nremove = ["metrics"]\n'
        '[edit.replace.cleanup]\nentry = "testing:tidy"\n'
        '[[edit.insert]]\nafter = "cleanup"\nname = "more"\nentry = "testing:tidy"\n'
    )
    (tmp_path / "flows" / "b.toml").write_text('summary = "b"\nextends = "a.toml"\n[edit]\nremove = ["more"]\n')
    base = names(flow_of(tmp_path, "estimate"))
    assert names(flow_of(tmp_path, "flows/a.toml")) == [*base[:2], "more", *base[2:-1]]
    flow = flow_of(tmp_path, "flows/b.toml")
    assert (flow.summary, names(flow), flow.step[1].entry) == ("b", base[:-1], "testing:tidy")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('extends = "own.toml"\n', ["own.toml extends", "own.toml"]),
        ('extends = "estimat"\n', ["own.toml: extends: unknown flow 'estimat'"]),
        ('extends = "gone.toml"\n', ["gone.toml: no such file"]),
        ('summary = "nothing"\n', ["a flow has either [[step]] tables or `extends`"]),
        ('extends = "estimate"\n[[step]]\nentry = "testing:tidy"\n', ["a flow has either [[step]] tables"]),
        ('extends = "estimate"\n[edit]\nremove = ["metric"]\n', ["own.toml: edit.remove 'metric'"]),
        (
            'extends = "estimate"\n[[edit.insert]]\nbefore = "cleanup"\nentry = "a:metrics"\n',
            ["'metrics' is already in use"],
        ),
    ],
)
def test_a_flow_that_cannot_be_made_is_refused_by_file_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        flow_of(tmp_path, "own.toml")
    for word in words:
        assert word in error.value.message


def test_a_thousand_flows_that_extend_one_another_are_refused_by_number(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"\n')
    with pytest.raises(ConfigError, match="more than 50 flows extend one another"):
        flow_of(tmp_path, "0.toml")


def test_a_setting_s_key_may_have_parts_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / "build.toml").write_text('build.model = "net.onnx"')
    settings = ['tools.vivado.versions."2022.2"=/opt/2022.2', 'step.x.tools.vivado="2022.2"']
    config = load_config(tmp_path / "build.toml", settings).config
    assert config.tools["vivado"].versions == {"2022.2": "/opt/2022.2"}
    for wrong in ('tools."a=1', "a..b=1", ".a=1", "=1"):
        with pytest.raises(ConfigError, match="write KEY=VALUE"):
            load_config(tmp_path / "build.toml", [wrong])
