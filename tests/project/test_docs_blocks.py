"""Code blocks of the documentation are right: files decode, commands parse, Python imports, links are well-formed."""

import ast
import importlib
import importlib.util
import inspect
import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bskernel
import click
import msgspec
import pytest
from bskernel.cli.group import cli
from bskernel.config import Config
from bskernel.config.decoder import convert
from bskernel.config.schema import Flow
from bskernel.core.errors import ConfigError
from bskernel.expr.parser import parse
from bskernel.flow.edits import name_steps
from bskernel.flow.loader import flow_names, shipped_flow
from bskernel.images.recipe import ImageFile
from bskernel.result.diff import read_gates
from bskernel.workspace.trust_file import UserConfig
from bskernel_executors.sdk.rules_file import RulesFile
from support.ci_jobs import read_yaml
from support.doc_blocks import PAGES, Block, all_blocks, blocks_of
from support.paths import ROOT

# Executors whose recipes the reader makes, and packages of other environments than this.
OF_THE_READER = {"brainsmith", "onnx-stats"}
ELSEWHERE = ROOT / "tests" / "brevitas_networks" / "requirements.txt"
# Programs of the reader's machine that the pages use; all others must be here.
PROGRAMS = {"cosign", "docker", "git", "gtkwave", "openssl", "pip", "uv", "uvx"}
SHELL = {"cd", "export", "source", "echo", "test"}


def ids(block: Block) -> str:
    return block.id


# Catalogues


def catalogues() -> dict[str, dict[str, Any]]:
    """Executor -> its entries by name, of all versions."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((ROOT / "images").glob("*/*/catalogue.json")):
        data = json.loads(path.read_text())
        found.setdefault(data["executor"], {}).update({entry["name"]: entry for entry in data["entries"]})
    return found


ENTRIES = catalogues()


def steps_of_flows() -> dict[str, str]:
    """Step of a shipped flow -> its entry."""
    found = {}
    for flow in flow_names():
        for step in name_steps(shipped_flow(flow).step, flow):
            found[step.name] = step.table.entry or ""
    return found


STEPS = steps_of_flows()


def entry_of(name: str) -> dict[str, Any] | None:
    """The entry EXECUTOR:NAME; None for an executor of the reader's. Raises ConfigError."""
    executor, _, entry = name.partition(":")
    if executor in OF_THE_READER:
        return None
    if entry not in ENTRIES.get(executor, {}):
        raise ConfigError(f"there is no entry {name}")
    return dict(ENTRIES[executor][entry])


def check_use(name: str, parameters: dict[str, Any], inputs: dict[str, str]) -> None:
    """Raise ConfigError unless the entry has these parameters and inputs."""
    entry = entry_of(name)
    if entry is None:
        return
    for kind, given in (("parameters", parameters), ("inputs", inputs)):
        unknown = set(given) - {item["name"] for item in entry[kind]}
        if unknown:
            raise ConfigError(f"{name} has no {kind} {sorted(unknown)}")


def check_build(text: str) -> None:
    """A build.toml, or a part of one: keys are known, and so are steps, entries, parameters and inputs."""
    data = tomllib.loads(text)
    data.setdefault("build", {}).setdefault("model", "net.onnx")
    config = convert(data, Config, "build.toml")
    for executor, parameters in config.parameters.items():
        known = {item["name"] for entry in ENTRIES.get(executor, {}).values() for item in entry["parameters"]}
        if executor not in OF_THE_READER and set(parameters) - known:
            raise ConfigError(f"no entry of {executor} has {sorted(set(parameters) - known)}")
    named = {item.name or item.entry.partition(":")[2]: item.entry for item in config.flow.edit.insert if item.entry}
    if isinstance(config.step, tuple):
        for step in config.step:
            check_use(step.entry or "", step.parameters, step.inputs)
    else:
        for name, options in config.step.items():
            if name not in STEPS | named:
                raise ConfigError(f"no shipped flow has a step {name}")
            check_use((STEPS | named)[name], options.parameters, options.inputs)
    check_edit(config.flow.edit)
    if config.build.flow not in flow_names():
        raise ConfigError(f"there is no flow {config.build.flow}")


def check_edit(edit: Any) -> None:
    """Inserted and replaced steps use entries that exist; removed ones are in a flow."""
    for item in (*edit.insert, *edit.replace.values()):
        check_use(item.entry, item.parameters, item.inputs)
    for step in (*edit.remove, *edit.replace):
        if step not in STEPS:
            raise ConfigError(f"no shipped flow has a step {step}")


def check_flow(text: str) -> None:
    flow = convert(tomllib.loads(text), Flow, "flow.toml")
    check_edit(flow.edit)
    for step in flow.step:
        check_use(step.entry or "", step.parameters, step.inputs)


def check_gates(text: str, folder: Path) -> None:
    (folder / "gates.toml").write_text(text)
    for gate in read_gates(folder / "gates.toml"):
        parse(gate.fail_if)


def check_conditions(text: str) -> None:
    for line in text.splitlines():
        for key, value in tomllib.loads(line).items():
            for condition in [value] if isinstance(value, str) else value:
                short = re.fullmatch(r"[\w.]+ !?= \S+", condition)  # as flows write it
                if condition != "sweep.require" and not short:
                    parse(condition, keys=key == "when")


def check_toml(block: Block, folder: Path) -> None:
    """Raise ConfigError, ValueError for a block that is not what it is said to be; unmarked ones are build files."""
    kinds: dict[str, Callable[[str], object]] = {
        "": check_build,
        "flow.toml": check_flow,
        "gates.toml": lambda text: check_gates(text, folder),
        "conditions": check_conditions,
        "config.toml": lambda text: convert(tomllib.loads(text), UserConfig, "config.toml"),
        "image.toml": lambda text: convert(tomllib.loads(text), ImageFile, "image.toml"),
        "part of image.toml": lambda text: convert(
            {"executor": "e", "version": "1", "summary": "s", "module": "m", "sources": ["s"], **tomllib.loads(text)},
            ImageFile, "image.toml",
        ),
        "rules.toml": lambda text: msgspec.toml.decode(text, type=RulesFile),
    }  # fmt: skip
    kinds[block.mark](block.text)


# Commands


def calls(block: Block) -> Iterator[str]:
    """The commands of a block: lines after `$`, all lines of a script, or an indented block that begins with one."""
    text = re.sub(r"\\\n>?\s*", " ", block.text)
    lines = text.splitlines()
    if block.language in {"console", ""}:
        yield from (line[2:] for line in lines if line.startswith("$ "))
    elif block.language in {"sh", "bash"}:
        yield from (line for line in lines if line.strip())
    elif begins_with_command(lines[0]):
        yield from (line for line in lines if line.strip() and not line.startswith(" "))


def begins_with_command(line: str) -> bool:
    """True for a line of an indented block that is a command, not output."""
    word = line.split()[0]
    known = PROGRAMS | SHELL | {"bskernel", "make", "cp", "mkdir", "dask", "ps", "pgrep", "env"}
    return ("/" in word and (ROOT / word).exists()) or Path(word).name in known


def check_call(call: str) -> None:
    """Raise ValueError for a command that does not exist, or that bskernel or the Makefile refuses."""
    if re.search(r"\[-|\[[a-z]|\s\|\s[a-z]+/", call):  # how to call it, not a call: tests/project/test_docs.py
        return
    words = shlex.split(call, comments=True)
    for part in split_list(words):
        while part and re.fullmatch(r"\w+=.*", part[0]):
            part = part[1:]
        if part:
            check_program(part)


def split_list(words: list[str]) -> Iterator[list[str]]:
    """The commands of a list or pipe, without redirections."""
    part: list[str] = []
    for word in words:
        if word in {"&&", "||", "|", ";"}:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def check_program(words: list[str]) -> None:
    while ">" in words:
        at = words.index(">")
        words = [*words[:at], *words[at + 2 :]]
    program, arguments = Path(words[0]).name, [word for word in words[1:] if word != "..."]
    if program == "bskernel":
        check_bskernel(arguments)
    elif program == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        wanted = {word for word in arguments if "=" not in word and not word.startswith("-")}
        if not wanted <= targets:
            raise ValueError(f"make has no target {sorted(wanted - targets)}")
    elif program not in PROGRAMS | SHELL:
        here = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
        if here is None and not (ROOT / words[0]).exists():
            raise ValueError(f"there is no program {words[0]}")


def check_bskernel(arguments: list[str]) -> None:
    """Parse the arguments as the command would; it is not called."""
    command: click.Command | None = cli
    name = "bskernel"
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name = f"{name} {arguments[0]}"
        command = command.get_command(click.Context(command), arguments[0])
        arguments = arguments[1:]
    if command is None:
        raise ValueError(f"there is no command {name}")
    try:
        command.make_context(name, list(arguments), resilient_parsing=isinstance(command, click.Group))
    except click.exceptions.Exit:  # --help, --version
        return
    except click.UsageError as error:
        raise ValueError(f"{name}: {error.format_message()}") from error


# Python


def check_python(text: str) -> None:
    """Raise ValueError unless it compiles, its imports resolve, and it calls bskernel's functions as they are."""
    elsewhere = re.findall(r"^([\w-]+)", ELSEWHERE.read_text(), re.MULTILINE)
    for node in ast.walk(ast.parse(text)):
        modules: list[tuple[str, list[str]]] = []
        if isinstance(node, ast.Import):
            modules = [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [(node.module or "", [alias.name for alias in node.names])]
        for name, wanted in modules:
            top = name.partition(".")[0]
            if top in elsewhere:
                continue
            if importlib.util.find_spec(top) is None:
                raise ValueError(f"there is no module {top}")
            module = importlib.import_module(name)
            if missing := [one for one in wanted if not hasattr(module, one)]:
                raise ValueError(f"{name} has no {missing}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("bskernel."):
            function = getattr(bskernel, ast.unparse(node.func).removeprefix("bskernel."), None)
            if function is None:
                raise ValueError(f"there is no {ast.unparse(node.func)}")
            keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
            try:
                inspect.signature(function).bind(*node.args, **keywords)
            except TypeError as error:
                raise ValueError(str(error)) from error


# Links


def check_url(url: str) -> None:
    """Raise ValueError for an address that no browser could open. It is not fetched."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?", parts.netloc):
        raise ValueError(f"not an address: {url}")
    if re.search(r"[\s<>\"]", url):
        raise ValueError(f"not an address: {url}")


@pytest.mark.parametrize("block", all_blocks("toml"), ids=ids)
def test_a_toml_block_is_the_file_that_it_is_said_to_be(block: Block, tmp_path: Path) -> None:
    check_toml(block, tmp_path)


@pytest.mark.parametrize(
    "block", [b for b in all_blocks("console", "sh", "bash", "", "indented") if [*calls(b)]], ids=ids
)
def test_the_commands_of_a_block_exist_and_take_their_arguments(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("build.toml", "sweep.toml"):  # commands without a file take those of the folder
        (tmp_path / name).write_text('build.model = "net.onnx"\n')
    monkeypatch.chdir(tmp_path)
    for call in calls(block):
        check_call(call)


@pytest.mark.parametrize("block", all_blocks("python"), ids=ids)
def test_a_python_block_compiles_and_its_imports_resolve(block: Block) -> None:
    check_python(block.text)
    if block.mark == "run":
        exec(compile(block.text, block.id, "exec"), {"__name__": "block"})  # noqa: S102 - a page of ours


@pytest.mark.parametrize("block", all_blocks("json", "yaml"), ids=ids)
def test_json_and_yaml_parse_and_jobs_give_the_action_inputs_that_it_has(block: Block) -> None:
    data = json.loads(block.text) if block.language == "json" else read_yaml(block.text)
    inputs = read_yaml((ROOT / "action.yml").read_text())["inputs"]
    for job in data.get("jobs", {}).values() if block.language == "yaml" else ():
        for step in job["steps"]:
            if step.get("uses", "").startswith("OWNER/bskernel"):
                assert step.get("with", {}).keys() <= inputs.keys()


def test_every_block_has_a_language_that_is_tested() -> None:
    known = {"console", "sh", "toml", "python", "json", "yaml", "mermaid", "text", "", "indented"}
    assert {block.language for page in PAGES for block in blocks_of(page, page.read_text())} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_external_links_are_addresses(page: Path) -> None:
    for url in re.findall(r"\]\((\w+://[^)]*)\)", page.read_text()):
        check_url(url)


def block_of(language: str, text: str, mark: str = "") -> Block:
    return Block(ROOT / "README.md", 1, language, mark, text)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("[build]\nmodle = 'x'\n", ""),
        ("[target]\nclock_mhz = 200\n", ""),
        ("[step.step_no_such]\ntimeout_s = 1\n", ""),
        ("[step.step_streamline]\nparameters = { no_such = 1 }\n", ""),
        ("[step.step_apply_folding_config]\ninputs = { folding = 'f.json' }\n", ""),
        ("[parameters.finn-step]\nno_such = 1\n", ""),
        ("[[flow.edit.insert]]\nafter = 'cleanup'\nentry = 'finn-step:no_such'\n", ""),
        ("build.flow = 'no_such'\n", ""),
        ("build.model = \n", ""),
        ("[[gate]]\nfail_if = 'LUT <'\n", "gates.toml"),
        ("when = 'a <'\n", "conditions"),
        ("[trust]\nproject = []\n", "config.toml"),
        ("extend = 'estimate'\n", "flow.toml"),
        ("modul = 'x'\n", "part of image.toml"),
        ("[[rule]]\nid = 'x'\n", "rules.toml"),
    ],
)
def test_a_wrong_toml_block_is_found(text: str, mark: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ValueError)):
        check_toml(block_of("toml", text, mark), tmp_path)


@pytest.mark.parametrize(
    "call",
    [
        "bskernel no-such",
        "bskernel run build.toml --no-such",
        "bskernel run build.toml --runtime podmann",
        "bskernel run a.toml b.toml",
        "bskernel store gc --older-than soon",
        "bskernel diff one two three",
        "bskernel blueprint import",
        "make no-such",
        "no-such-program --version",
        "uv sync && no-such-program",
        "tests/no-such 1",
    ],
)
def test_a_wrong_command_is_found(call: str) -> None:
    (found,) = calls(block_of("console", f"$ {call}\n"))
    with pytest.raises(ValueError, match=r"no |No such|invalid|not|unexpected|Missing|required"):
        check_call(found)


@pytest.mark.parametrize(
    "text",
    ["import no_such", "from bskernel import no_such", "bskernel.no_such()", "bskernel.run('b', no_such=1)", "x ="],
)
def test_wrong_python_is_found(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        check_python(text)


@pytest.mark.parametrize("url", ["https://nowhere", "htps://a.b", "https://a b.c", "https://a.b/<x>"])
def test_a_wrong_address_is_found(url: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        check_url(url)
