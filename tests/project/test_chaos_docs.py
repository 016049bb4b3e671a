"""The page on developing, the Makefile and the chaos campaign agree."""

import re

from chaos.__main__ import arguments
from chaos.kinds import KINDS
from support.paths import ROOT

PAGE = (ROOT / "docs" / "developing.md").read_text()
SECTION = re.split(r"^## ", PAGE, flags=re.MULTILINE)
(CHAOS,) = [text for text in SECTION if text.startswith("Chaos\n")]


def cells(head: str) -> list[str]:
    """The first cells of the table whose first column is called so."""
    (table,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)*)", CHAOS, re.MULTILINE)
    return [line.split("|")[1] for line in table.splitlines()]


def test_the_page_lists_every_campaign() -> None:
    assert re.findall(r"`(\w+)`", " ".join(cells("campaign"))) == sorted(
        {kind.name.partition("/")[0] for kind in KINDS}
    )


def test_the_page_lists_every_option() -> None:
    offered = {name for action in arguments()._actions for name in action.option_strings} - {"-h", "--help"}
    assert set(re.findall(r"--[a-z]+", " ".join(cells("option")))) == offered


def test_the_commands_of_the_page_are_calls_of_the_makefile_with_options_that_exist() -> None:
    parser = arguments()
    calls = re.findall(r'^ {4}make chaos CHAOS="([^"]*)"', CHAOS, re.MULTILINE)
    assert calls
    for call in calls:
        parser.parse_args(call.split())
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^chaos: sync\n\tPYTHONPATH=tests .* python -m chaos \$\(CHAOS\)$", makefile, re.MULTILINE)
