"""A waveform as pyvcd, which is not ours, reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vcd.reader import TokenKind, tokenize


class Waveform:
    """The signals of a VCD file by their full names, and their values at each time."""

    def __init__(self, path: Path) -> None:
        self.names: dict[str, str] = {}  # full name -> identifier
        self.kinds: dict[str, str] = {}
        self._changes: dict[str, list[tuple[int, Any]]] = {}
        scopes: list[str] = []
        self.end = 0
        with path.open("rb") as file:
            for token in tokenize(file):
                if token.kind is TokenKind.SCOPE:
                    scopes.append(token.scope.ident)
                elif token.kind is TokenKind.UPSCOPE:
                    scopes.pop()
                elif token.kind is TokenKind.VAR:
                    name = ".".join((*scopes, token.var.reference))
                    assert name not in self.names, f"{name} is declared twice"
                    self.names[name] = token.var.id_code
                    self.kinds[name] = token.var.type_.name
                elif token.kind is TokenKind.CHANGE_TIME:
                    assert token.time_change >= self.end
                    self.end = token.time_change
                elif token.kind is TokenKind.CHANGE_SCALAR:
                    self._note(token.scalar_change.id_code, token.scalar_change.value)
                elif token.kind is TokenKind.CHANGE_VECTOR:
                    self._note(token.vector_change.id_code, token.vector_change.value)
        assert not scopes

    def _note(self, code: str, value: Any) -> None:
        found = self._changes.setdefault(code, [])
        assert not found or found[-1][1] != value, "a change that changes nothing"
        found.append((self.end, value))

    def sampled(self, name: str, every: int) -> list[Any]:
        """The value of a signal at 0, `every`, 2 * `every`, ... up to the end; a number of 32 bits is signed."""
        changes = iter([*self._changes.get(self.names[name], []), (self.end + every, None)])
        upcoming = next(changes)
        present: Any = None
        found: list[Any] = []
        for time in range(0, self.end, every):
            while upcoming[0] <= time:
                present = upcoming[1]
                upcoming = next(changes)
            signed = isinstance(present, int) and self.kinds[name] == "integer" and present >= 1 << 31
            found.append(present - (1 << 32) if signed else present)
        return found
