"""How shells ask for completions. Imported when one asks, or when its script is printed.

bash splits words also at "=", "@" and ":", which stand in keys and names of executors. So its script sends the whole
line, and what is already typed before the last such character is not sent back.
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE = "_BSKERNEL_COMPLETE"
_BASH = """\
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            plain)
                COMPREPLY+=("$value")
                [[ $value == *[=./:] ]] && compopt -o nospace
                ;;
            dir)
                compopt -o filenames
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$value")
                ;;
            file)
                compopt -o filenames
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$value")
                ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class LineComplete(BashComplete):
    """bash, with the whole line."""

    source_template = _BASH
    _word = ""  # the word before the cursor
    _incomplete = ""  # the part of it that is completed: the value of --option=value

    @staticmethod
    def _check_version() -> None:
        """The script runs in bash 4.4; which bash reads it is not known here."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one at it."""
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        words = split_arg_string(line)
        if not line[-1:].isspace() and len(words) > 1:
            self._word = words.pop()
        return words[1:], self._word

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """What can stand there."""
        start = incomplete.partition("=")[0] + "=" if incomplete.startswith("--") and "=" in incomplete else ""
        self._incomplete = incomplete.removeprefix(start)
        return super().get_completions(args, incomplete)

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """The type and the value, without what bash takes for another word."""
        if item.type != "plain":
            return super().format_completion(item)
        breaks = set(os.environ.get("COMP_BREAKS", "")) - set(" \t\n\"'")
        typed = max((at + 1 for at, char in enumerate(self._word) if char in breaks), default=0)
        whole = self._word.removesuffix(self._incomplete) + item.value
        return f"plain,{whole[typed:]}"


SHELLS: dict[str, type[ShellComplete]] = {"bash": LineComplete, "zsh": ZshComplete, "fish": FishComplete}


def register_shells() -> None:
    """Let click find these when a shell asks."""
    add_completion_class(LineComplete, "bash")


def script_of(shell: str, command: Any) -> str:
    """The script that makes a shell complete `bskernel`."""
    return SHELLS[shell](command, {}, "bskernel", VARIABLE).source()
