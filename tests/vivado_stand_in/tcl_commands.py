"""The commands of Tcl itself that scripts for Vivado use. For the STAND-IN."""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

from vivado_stand_in.tcl import Tcl, TclError, join, split
from vivado_stand_in.tcl_expr import evaluate, is_true


def _matches(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)


class Core:
    """Commands by name; `say` is what `puts` calls."""

    def __init__(self, interpreter: Tcl, say: Callable[[str], None]) -> None:
        self.tcl, self.say = interpreter, say
        self.open_files: dict[str, IO[str]] = {}
        self.at_end: set[str] = set()
        self.script = ""  # the path that is sourced
        for name in dir(self):
            if name.startswith("do_"):
                interpreter.commands[name.removeprefix("do_")] = getattr(self, name)
        for how in ("return", "break", "continue"):
            interpreter.commands[how] = lambda *values, how=how: interpreter.leave(how, *values)

    def do_set(self, name: str, *value: str) -> str:
        return self.tcl.set(name, value[0]) if value else self.tcl.get(name)

    def do_if(self, *words: str) -> str:
        rest = [word for word in words if word != "then"]
        while rest:
            if rest[0] == "else":
                return self.tcl.evaluate(rest[1])
            if rest[0] == "elseif":
                rest = rest[1:]
            if len(rest) < 2:
                raise TclError('wrong # args: no script following condition of "if"')
            if is_true(self.tcl, rest[0]):
                return self.tcl.evaluate(rest[1])
            rest = rest[2:]
            if rest and rest[0] not in {"else", "elseif"}:
                return self.tcl.evaluate(rest[0])
        return ""

    def do_while(self, condition: str, body: str) -> str:
        while is_true(self.tcl, condition) and self.tcl.loop(body):
            pass
        return ""

    def do_foreach(self, names: str, values: str, body: str) -> str:
        wanted, given = split(names), split(values)
        for at in range(0, len(given), len(wanted)):
            for offset, name in enumerate(wanted):
                self.tcl.set(name, given[at + offset] if at + offset < len(given) else "")
            if not self.tcl.loop(body):
                break
        return ""

    def do_for(self, start: str, condition: str, step: str, body: str) -> str:
        self.tcl.evaluate(start)
        while is_true(self.tcl, condition) and self.tcl.loop(body):
            self.tcl.evaluate(step)
        return ""

    def do_proc(self, name: str, parameters: str, body: str) -> str:
        return self.tcl.define(name, parameters, body)

    def do_global(self, *names: str) -> str:
        if self.tcl.shared:
            self.tcl.shared[-1].update(names)
        return ""

    def do_expr(self, *words: str) -> str:
        return evaluate(self.tcl, " ".join(words))

    def do_incr(self, name: str, by: str = "1") -> str:
        return self.tcl.set(name, str(int(self.tcl.get(name)) + int(by)))

    def do_catch(self, script: str, name: str | None = None) -> str:
        code, result = "0", ""
        try:
            result = self.tcl.evaluate(script)
        except TclError as error:
            code, result = "1", str(error)
        if name is not None:
            self.tcl.set(name, result)
        return code

    def do_error(self, text: str, *_: str) -> str:
        raise TclError(text)

    def do_list(self, *values: str) -> str:
        return join(list(values))

    def do_concat(self, *values: str) -> str:
        return " ".join(value.strip() for value in values if value.strip())

    def do_lappend(self, name: str, *values: str) -> str:
        scope, key = self.tcl.scope(name)
        return self.tcl.set(name, join([*split(scope.get(key, "")), *values]))

    def do_llength(self, values: str) -> str:
        return str(len(split(values)))

    def do_lindex(self, values: str, at: str) -> str:
        found = split(values)
        place = len(found) - 1 if at == "end" else int(at)
        return found[place] if 0 <= place < len(found) else ""

    def do_lsearch(self, values: str, wanted: str) -> str:
        return next((str(at) for at, item in enumerate(split(values)) if _matches(item, wanted)), "-1")

    def do_lreplace(self, values: str, first: str, last: str, *new: str) -> str:
        found = split(values)
        found[int(first) : int(last) + 1] = new
        return join(found)

    def do_string(self, what: str, *words: str) -> str:
        if what == "match":
            return str(int(_matches(words[1], re.sub(r"\\(.)", r"[\1]", words[0]))))
        if what == "length":
            return str(len(words[0]))
        if what in {"tolower", "toupper", "trim"}:
            return str(getattr(words[0], {"tolower": "lower", "toupper": "upper", "trim": "strip"}[what])())
        raise TclError(f'STAND-IN: unknown or ambiguous subcommand "{what}" of string')

    def do_format(self, pattern: str, *values: str) -> str:
        return pattern % tuple(int(value) if re.fullmatch(r"-?\d+", value) else value for value in values)

    def do_puts(self, *words: str) -> str:
        rest = [word for word in words if word != "-nonewline"]
        if len(rest) == 1 or rest[0] in {"stdout", "stderr"}:
            self.say(rest[-1])
        else:
            self._file(rest[0]).write(rest[1] + "\n")
        return ""

    def _file(self, name: str) -> IO[str]:
        if name not in self.open_files:
            raise TclError(f'can not find channel named "{name}"')
        return self.open_files[name]

    def do_open(self, path: str, mode: str = "r") -> str:
        name = f"file{len(self.open_files) + 3}"
        try:
            self.open_files[name] = Path(path).open(mode)  # noqa: SIM115 - the script closes it
        except OSError as error:
            raise TclError(f'couldn\'t open "{path}": {str(error.strerror).lower()}') from None
        return name

    def do_close(self, name: str) -> str:
        self._file(name).close()
        return ""

    def do_gets(self, name: str, variable: str) -> str:
        line = self._file(name).readline()
        if not line:
            self.at_end.add(name)
        self.tcl.set(variable, line.removesuffix("\n"))
        return str(len(line) - 1)

    def do_eof(self, name: str) -> str:
        return str(int(name in self.at_end))

    def do_file(self, what: str, *words: str) -> str:
        rest = [word for word in words if word != "-force"]
        paths = [Path(word) for word in rest]
        if what == "mkdir":
            for path in paths:
                path.mkdir(parents=True, exist_ok=True)
            return ""
        if what == "delete":
            for path in paths:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            return ""
        if what in {"copy", "rename"}:
            self._move(what, *paths)
            return ""
        if what in {"exists", "isdirectory", "isfile"}:
            asked = {"exists": "exists", "isdirectory": "is_dir", "isfile": "is_file"}[what]
            return str(int(getattr(paths[0], asked)()))
        if what in {"join", "dirname", "tail", "normalize"}:
            joined = Path(*rest)
            return {"join": str(joined), "dirname": str(joined.parent), "tail": joined.name}.get(
                what, str(joined.absolute())
            )
        raise TclError(f'STAND-IN: unknown or ambiguous subcommand "{what}" of file')

    def _move(self, what: str, source: Path, target: Path) -> None:
        if not source.exists():
            raise TclError(f'error {what[:-1]}ing "{source}": no such file or directory')
        target = target / source.name if target.is_dir() else target
        if what == "rename":
            source.replace(target)
        elif source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)

    def do_glob(self, *words: str) -> str:
        found = sorted(str(path) for word in words if word[0] != "-" for path in Path().glob(word))
        if not found and "-nocomplain" not in words:
            raise TclError(f'no files matched glob pattern "{words[-1]}"')
        return join(found)

    def do_source(self, path: str, *_: str) -> str:
        if not Path(path).is_file():
            raise TclError(f'couldn\'t read file "{path}": no such file or directory')
        outer, self.script = self.script, path
        result = self.tcl.evaluate(Path(path).read_text())
        self.script = outer
        return result

    def do_info(self, what: str) -> str:
        if what != "script":
            raise TclError(f'STAND-IN: unknown or ambiguous subcommand "{what}" of info')
        return self.script

    def do_exit(self, code: str = "0") -> str:
        raise SystemExit(int(code))
