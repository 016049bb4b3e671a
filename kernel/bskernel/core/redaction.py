"""Removes from texts what must not leave a machine: names of users and hosts, paths, and secrets."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from bskernel_protocol.licences import LICENCE_VARIABLES, licence_texts

_SHORTEST = 4  # shorter values occur in any text: removing them would destroy it and hide nothing
_BLOCK = "\N{FULL BLOCK}"
_SECRET_NAMES = re.compile(
    r"(?i)(token|secret|passw|credential|api_?key|access_?key|private|auth|cookie|licen[sc]e_file)"
)
# What secrets look like: (kind, expression). What the group `keep` matches stays.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private key",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    ),
    ("licence server", re.compile(r"(?<![\w.])\d{2,5}@[\w.-]+(?:[:;,]\d{2,5}@[\w.-]+)*")),
    ("access key", re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{12,}\b")),
    ("token", re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|sk-|npm_|pypi-)[\w-]{8,}")),
    ("token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?")),
    ("token", re.compile(r"(?P<keep>(?i:\bbearer|\bbasic)\s+)[\w.~+/=-]{8,}")),
    ("password", re.compile(r"(?P<keep>[a-z][a-z0-9+.-]*://)[^\s/@]+@")),
    (
        "secret",
        re.compile(
            r"(?P<keep>(?i:[\w-]*(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|credential)[\w-]*)"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\[)[^\s\"',;]{3,}"
        ),
    ),
    ("e-mail address", re.compile(r"\b[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b")),
)
_PATH = re.compile(
    r"(?<![\w./:>~\\-])(?:[A-Za-z]:[\\/]|/)[^\s/\"'`,;:()<>\[\]{}|\\]+(?:[\\/][^\s/\"'`,;:()<>\[\]{}|\\]*)*"
)


def secrets_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Values of environment variables whose names say secret, and parts of licence variables -> the variable."""
    found = {value: name for name, value in environment.items() if _SECRET_NAMES.search(name)}
    found |= {text: name for name in LICENCE_VARIABLES for text in licence_texts(environment.get(name, ""))}
    return {value: name for value, name in found.items() if len(value) >= _SHORTEST}


class Redactor:
    """Replaces the given names and secrets, what looks like a secret, and absolute paths; counts what it replaced.

    `names` maps texts to their replacement, e.g. a home folder to "~". No text of four or more characters in `names`
    or `secrets` survives, nor its form in JSON or in a URL. Without `paths`, absolute paths stay.
    """

    def __init__(self, names: Mapping[str, str], secrets: Iterable[str] = (), *, paths: bool = True) -> None:
        self._paths = paths
        given = {text: mark for text, mark in names.items() if len(text) >= _SHORTEST}
        given |= {text: "<secret>" for text in secrets if len(text) >= _SHORTEST}
        self._marks = {form: mark for text, mark in given.items() for form in _forms(text)}
        # The longest first: one may be part of another.
        self._given = sorted(self._marks, key=lambda text: (-len(text), text))
        self.counts: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text, redacted."""
        for form in self._given:
            if form in text:
                self.counts[self._marks[form]] += text.count(form)
                text = text.replace(form, self._marks[form])
        for kind, pattern in _PATTERNS:
            text, count = pattern.subn(functools.partial(_kept, kind), text)
            self.counts[kind] += count
        if self._paths:
            text, count = _PATH.subn(_last_part, text)
            self.counts["absolute path"] += count
        return self._surely_without(text)

    def _surely_without(self, text: str) -> str:
        """Removes what a replacement has put together, or contains."""
        while found := [form for form in self._given if form in text]:
            for form in found:
                text = text.replace(form, "" if set(form) == {_BLOCK} else _BLOCK)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value, redacted in keys and in texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def json(self, data: bytes) -> bytes:
        """A JSON document, redacted; anything else is redacted as text."""
        try:
            value = json.loads(data)
        except ValueError:
            return self.text(data.decode("utf-8", "replace")).encode()
        text = json.dumps(self.value(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        return self._surely_without(text).encode()

    def json_lines(self, data: bytes) -> bytes:
        """As `json`, line by line."""
        lines = []
        for line in data.decode("utf-8", "replace").splitlines():
            try:
                lines.append(json.dumps(self.value(json.loads(line)), ensure_ascii=False))
            except ValueError:
                lines.append(self.text(line))
        return self._surely_without("\n".join(lines) + "\n").encode()


def _forms(text: str) -> set[str]:
    """The text as it is, in JSON, and in a URL."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], quote(text, safe="")}


def _kept(kind: str, match: re.Match[str]) -> str:
    return f"{match.groupdict().get('keep') or ''}<{kind}>"


def _last_part(match: re.Match[str]) -> str:
    """Keeps the last part of a path: the rest means nothing elsewhere."""
    parts = [part for part in re.split(r"[\\/]", match.group()) if part]
    return f"<path>/{parts[-1]}"
