"""What pages name exists: paths of the repository, commands with their options, targets of links."""

import re
from pathlib import Path

import click
import pytest
import yaml
from bskernel.cli.group import cli

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Where a path that a page names may begin.
BASES = (ROOT, ROOT / "docs", ROOT / "tests", ROOT / "kernel" / "bskernel", ROOT / "executors" / "bskernel_executors")
TOP = {
    *("kernel", "protocol", "executors", "tests", "docs", "examples", "benchmarks", "images", "docker", "templates"),
    *(".ci", ".devcontainer"),
    *(folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()),
}
# What the reader of a page writes.
OF_THE_READER = ("tests/test_entries.py",)


def code(text: str) -> str:
    """The page's fenced and indented blocks, line by line, and what stands in backquotes."""
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    .*$", text, re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return "\n".join([*fenced, *indented, *spans])


def paths(text: str) -> set[str]:
    """What looks like a path of the repository, in code, tables or prose; no placeholder, no file of the reader."""
    found = re.findall(r"(?<![\w/.:~$@{-])(?:\.ci|\.devcontainer|[a-z][\w-]*)/[\w./*-]*", text)
    found += re.findall(r"(?<![\w/.*-])test_\w+\.py\b", text)
    named = {path.rstrip("./") for path in found}
    return {
        path
        for path in named
        if path.partition("/")[0] in TOP or path.startswith("test_")
        if not path.startswith(OF_THE_READER)
        if not re.search(r"(^|/)([A-Z][A-Z-]*|build)(/|$)", path)
    }


def missing(text: str) -> set[str]:
    """Paths that a page names and the repository does not have; a test file may be named without its folder."""

    def exists(path: str) -> bool:
        if path.startswith("test_"):
            return any((ROOT / "tests").rglob(path))
        return any(any(base.glob(path)) for base in BASES)

    return {path for path in paths(text) if not exists(path)}


def unknown_commands(text: str) -> set[str]:
    """Calls of bskernel in a page's code that name no command, no command of a group, or no option of it."""
    unknown = set()
    for call in re.findall(r"(?:^|[/\s(])(?<!-C )(?<!install )bskernel ((?:[a-z]+|-).*)$", code(text), re.MULTILINE):
        words = re.split(r"\s+#\s|[;&>]|\s\|\s", call)[0].split()
        command: click.Command | None = cli
        while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
            command = command.get_command(click.Context(command), words.pop(0))
        if command is None:
            unknown.add(call)
            continue
        offered = {name for item in command.params for name in item.opts} | {"--help"}
        used = re.findall(r"(?<![\w-])--[a-z-]+", " ".join(words))
        if not set(used) <= offered:
            unknown.add(call)
    return unknown


def anchors(text: str) -> set[str]:
    """What links may name behind #: headings outside of code."""
    headings = re.findall(r"^#+ (.*)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> set[str]:
    """Relative links of a page that lead to no file or to no heading."""
    broken = set()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, heading = target.partition("#")
        other = page.parent / file if file else page
        if "://" not in target and (not other.exists() or (heading and heading not in anchors(other.read_text()))):
            broken.add(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    assert missing(page.read_text()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    assert unknown_commands(page.read_text()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken_links(page, page.read_text()) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in `kernel/bskernel/no_such.py`", {"kernel/bskernel/no_such.py"}),
        ("| a | e2e/test_no_such.py, test_nor_this.py |", {"e2e/test_no_such.py", "test_nor_this.py"}),
        ("```\nrun examples/none.toml\n```", {"examples/none.toml"}),
        ("`docs/*.md`, `images/EXECUTOR/VERSION`, `tests/conftest.py`. See `docs/`.", set()),
    ],
)
def test_a_path_that_does_not_exist_is_found(text: str, found: set[str]) -> None:
    assert missing(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "`bskernel no-such`",
        "    bskernel store no-such",
        "```\n$ .venv/bin/bskernel run build.toml --no-such 1\n```",
        "a `bskernel\nnone` over two lines",
    ],
)
def test_a_command_or_option_that_does_not_exist_is_found(text: str) -> None:
    assert len(unknown_commands(text)) == 1


def test_calls_as_pages_write_them_are_understood() -> None:
    text = "`bskernel store stat`\n\n    bskernel run b.toml --set a=1 --jobs 4   # --no\n    bskernel --help | less"
    assert unknown_commands(text) == set()


@pytest.mark.parametrize("target", ["no-such.md", "glossary.md#no-such", "#no-such"])
def test_a_link_that_leads_nowhere_is_found(target: str) -> None:
    assert broken_links(ROOT / "docs" / "flows.md", f"# A heading\n[a]({target})") == {target}


def test_the_readme_names_every_command() -> None:
    named = set(re.findall(r"`bskernel ([a-z][a-z-]*)", (ROOT / "README.md").read_text()))
    assert named == set(cli.list_commands(click.Context(cli)))


def test_every_kernel_and_executor_folder_in_the_table_of_features_exists() -> None:
    tables = re.findall(r"^\| .*\|$", (ROOT / "docs" / "feature-status.md").read_text(), re.MULTILINE)
    named = {name for row in tables for name in re.findall(r"`([a-z_]+)`", row.split("|")[3])}
    assert named
    assert {name for name in named if not any((base / name).is_dir() for base in BASES[3:])} == set()


def test_the_hooks_of_git_run_what_make_check_runs() -> None:
    (config,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {tuple(hook["entry"].split()[1:3]) for hook in config["hooks"]}
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    checks = [line.split("--frozen ")[1].split() for line in recipe.splitlines()]
    assert {name for name, *_ in hooks} == {name for name, *_ in checks}
    assert {words[1] for words in hooks if words[0] == "ruff"} == {words[1] for words in checks if words[0] == "ruff"}
